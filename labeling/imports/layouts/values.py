"""Values of other tools' records, which may be one, several or of a type that nobody expected."""

from typing import Any

# Names of questions and columns that say what their texts are.
CAPTIONS = {"caption", "captions", "text", "description", "prompt", "transcription"}
KEYWORDS = {"label", "labels", "choice", "choices", "class", "classes", "category", "tag", "tags"}


def several(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as the only item of one."""
    return value if isinstance(value, list) else [value]


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects among the values."""
    return [each for each in several(value) if isinstance(each, dict)]


def others(value: Any) -> list[Any]:
    """Return the values that are no objects where such are expected, but for those of nothing."""
    return [each for each in several(value) if not isinstance(each, dict) and each is not None]

"""What may be chosen of an export, each choice described where it stands.

One description serves the command line, the page and the API; `Options` is what was chosen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from labeling.exports.errors import ExportError

TRUE, FALSE = {"true", "yes", "1", "on"}, {"false", "no", "0", "off", ""}


def _option(default: Any, help: str, choices: tuple[str, ...] = (), **limits: float) -> Any:
    metadata = {"help": help, "choices": choices, **limits}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Options:
    """What was chosen; which of the second half a format knows, it says itself."""

    confidence: float = _option(
        0.5,
        "Least probability of a caption or a box, and of a concept to be a tag, 0 to 1.",
        least=0.0,
        most=1.0,
    )
    labels: str = _option(
        "soft",
        "Soft: concepts with their probabilities. Hard: 1 from the least confidence up, 0 from one "
        "minus it down; what lies between is left out.",
        ("soft", "hard"),
    )
    captions: str = _option(
        "best", "The best caption, or all, the best first.", ("best", "all", "none")
    )
    caption_source: str = _option("any", "Whose captions.", ("any", "import", "annotator", "model"))
    pictures: str = _option(
        "all",
        "Pictures that came from outside, that a model drew, or all.",
        ("all", "real", "generated"),
    )
    split: str = _option("all", "Pictures to train on, to test, or all.", ("all", "train", "test"))
    size: int = _option(
        0,
        "Longest side in pixels: larger pictures are made smaller. 0: as they are.",
        least=0,
        most=20000,
    )
    image_format: str = _option(
        "keep",
        "How pictures are encoded: PNG and WebP lose nothing.",
        ("keep", "png", "jpeg", "webp"),
    )
    concepts: tuple[str, ...] = _option((), "Only these concepts, with commas between; empty: all.")
    vendor: str = _option(
        "",
        "Only what comes from this vendor: pictures of which something does, and of their "
        "captions and boxes those that do.",
    )
    batch: str = _option("", "Only what comes from this batch of a vendor, likewise.")
    imported_by: int = _option(
        0,
        "Only what comes from the import of this number, likewise. 0: from all.",
        least=0,
        most=2**63 - 1,
    )
    license: str = _option(
        "", "Only pictures of this licence, and captions and boxes of it or written here."
    )

    repeats: int = _option(
        1,
        "How often a picture of a certain caption is seen an epoch: others less.",
        least=1,
        most=100,
    )
    without_text: str = _option(
        "keep", "Pictures without a text: kept without one, or left out.", ("keep", "leave_out")
    )
    sidecar: str = _option(
        "captions",
        "What lies beside a picture: captions, or tags, as .txt; or all that is known, as .json.",
        ("captions", "tags", "json"),
    )
    copy_pictures: bool = _option(False, "Also put the pictures, as they are stored, beside it.")
    overwrite: bool = _option(False, "Replace files of the same names that hold something else.")
    shard: int = _option(
        0, "Pictures of one shard; 0: as many as is usual.", least=0, most=1_000_000
    )

    @property
    def chosen(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON."""
        values = ((each.name, getattr(self, each.name), each.default) for each in fields(self))
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value, default in values
            if value != default
        }


GENERAL = tuple(each.name for each in fields(Options))[:13]  # what most formats know
TEXT_LENGTH = 200  # characters of a name or a licence


@dataclass(frozen=True)
class Described:
    """An option as people are shown it."""

    name: str
    help: str
    choices: tuple[str, ...]
    default: Any

    @property
    def kind(self) -> str:
        """Return what it is: "choice", "flag", "number", "decimal", "names" or "text"."""
        if self.choices:
            return "choice"
        kinds = {bool: "flag", int: "number", float: "decimal", tuple: "names", str: "text"}
        return kinds[type(self.default)]


def described(names: tuple[str, ...]) -> list[Described]:
    """Return the options of those names, in the order of the names."""
    by_name = {each.name: each for each in fields(Options)}
    return [
        Described(
            name,
            by_name[name].metadata["help"],
            by_name[name].metadata["choices"],
            by_name[name].default,
        )
        for name in names
    ]


def parse(values: Mapping[str, Any], *, names: tuple[str, ...], format: str) -> Options:
    """Return the options of a format from texts or JSON.

    Raises ExportError for one that the format does not have, or a value that is none.
    """
    unknown = sorted(values.keys() - set(names))
    if unknown:
        raise ExportError(
            f"{format} has no option “{unknown[0]}”: it has {', '.join(names) or 'none'}."
        )
    by_name = {each.name: each for each in fields(Options)}
    return Options(**{name: _parsed(by_name[name], value) for name, value in values.items()})


def _parsed(option: Any, value: Any) -> Any:
    default, limits = option.default, option.metadata
    if limits["choices"]:
        if value not in limits["choices"]:
            raise ExportError(
                f"{option.name} is one of {', '.join(limits['choices'])}, not “{value}”."
            )
        return value
    if isinstance(default, bool):
        return _flag(option.name, value)
    if isinstance(default, tuple):
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
            raise ExportError(f"{option.name} is a list of names with commas between.")
        return tuple(sorted({each.strip() for each in names} - {""}))
    if isinstance(default, str):
        if not isinstance(value, str) or len(value) > TEXT_LENGTH:
            raise ExportError(f"{option.name} is a text of {TEXT_LENGTH} characters at most.")
        return value.strip()
    return _number(option.name, value, type(default), limits["least"], limits["most"])


def _flag(name: str, value: Any) -> bool:
    word = str(value).strip().lower()
    if word not in TRUE | FALSE:
        raise ExportError(f"{name} is true or false, not “{value}”.")
    return word in TRUE


def _number(name: str, value: Any, kind: type, least: float, most: float) -> Any:
    try:
        number = kind(str(value).strip())
    except (ValueError, OverflowError):
        number = None
    if number is None or isinstance(value, bool) or not least <= number <= most:
        what = "a whole number" if kind is int else "a number"
        raise ExportError(f"{name} is {what} from {least:g} to {most:g}, not “{value}”.")
    return number

"""Text that is safe in HTML."""

from html import escape


def text(value: object) -> str:
    """Escape a value; replace what UTF-8 cannot encode."""
    return escape(str(value).encode("utf-8", "replace").decode(), quote=True)

"""Numbers as sentences, forms and addresses hold them."""

ID_DIGITS_MAX = 18  # what fits into 64 bits


def count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 picture", "1,200 pictures"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def parse_id(text: str) -> int:
    """Return a row's id that a form or an address names; 0, which no row has, where it is none."""
    is_id = text.isascii() and text.isdecimal() and len(text) <= ID_DIGITS_MAX
    return int(text) if is_id else 0

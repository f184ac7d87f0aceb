"""Numbers in sentences."""


def count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 picture", "1,200 pictures"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

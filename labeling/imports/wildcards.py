"""Wildcards in captions as kohya's trainer and others fill them in: "{a|the} dog"."""

import re

VARIANTS_MAX = 8  # captions of one line
CHOICE = re.compile(r"(?<!\{)\{([^{}|]*(?:\|[^{}|]*)+)\}(?!\})")
OF_FILES = re.compile(r"(?<![\w>^])__[^\W_][\w/ -]{0,60}?__(?!\w)")


def variants(text: str) -> list[str] | str:
    """Return what a line may mean, "a dog" and "the dog"; or why that cannot be said."""
    if match := OF_FILES.search(text):
        return f"holds the wildcard {match[0]}, which another file fills in"
    return _filled([text]) if CHOICE.search(text) else [text]


def _filled(lines: list[str]) -> list[str] | str:
    """Fill in the first choice of each line until there is none."""
    while match := CHOICE.search(lines[0]):  # all have as many left
        if len(lines) * (match[1].count("|") + 1) > VARIANTS_MAX:
            return f"its wildcards make more than {VARIANTS_MAX} captions"
        lines = [filled for line in lines for filled in _first_filled(line)]
    return list(dict.fromkeys(line.replace("{{", "{").replace("}}", "}") for line in lines))


def _first_filled(line: str) -> list[str]:
    match = CHOICE.search(line)
    if match is None:
        return [line]
    before, after = line[: match.start()], line[match.end() :]
    return [f"{before}{choice}{after}" for choice in match[1].split("|")]

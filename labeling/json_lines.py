r"""JSON lines: a JSON value a line, each ended by a line feed.

Texts may hold U+2028, U+0085 and others that `str.splitlines` takes for ends of lines, so lines
are split at `\n` alone.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def dumps(values: Iterable[Any]) -> bytes:
    """Return the values as JSON lines in UTF-8."""
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode()


def write(path: Path, values: Iterable[Any]) -> int:
    """Write the values to a file, one at a time; return how many."""
    count = 0
    with path.open("wb") as file:
        for value in values:
            file.write(dumps([value]))
            count += 1
    return count


def read(path: Path) -> Iterator[Any]:
    """Yield the values of a file, one line at a time. Raises OSError and ValueError."""
    with path.open("rb") as file:
        yield from (json.loads(line) for line in file if line.strip())


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank, with its number from 1."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line

"""Files of JSON lines, read by their line feeds alone."""

from collections.abc import Iterator
from pathlib import Path

from training.engine.files import TrainingError


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the number, from 1, and the bytes of each line; raise ``TrainingError`` where it fails.

    JSON may hold U+0085, U+2028 and other ends of lines inside of texts, at which `splitlines`
    would cut a line in two: only a line feed ends a line here. Empty lines at the end are none.
    """
    try:
        content = path.read_bytes().rstrip(b"\n")
    except OSError as error:
        raise TrainingError(f"The file {path} cannot be read: {error.strerror}.") from None
    if content:
        yield from enumerate(content.split(b"\n"), 1)

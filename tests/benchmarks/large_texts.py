"""Memory and CPU time of reading a large file of texts, and of joining it to its pictures.

    python tests/benchmarks/large_texts.py [ROWS]

A file of each layout with so many rows (200,000 unless told), a picture each, is written to a
temporary folder and read by a process of its own, up to where the first picture would be decoded.
Pictures are names alone. Prints Markdown: the peak beyond the memory at the start, and CPU time.
"""

import argparse
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

CAPTION = "a dog that runs past the old house, no. {}"
KEYWORDS = ["dog", "old house", "night", "lawn"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="?", type=int, default=200_000)
    parser.add_argument("--one", type=Path, help="read this file, in this process")
    wanted = parser.parse_args()
    if wanted.one:
        read(wanted.one, wanted.rows)
        return
    print(
        "| source | rows | start, MB | memory beyond it, MB | CPU µs a row |\n|---|" + 4 * "---:|"
    )
    for name, write in FILES.items():
        with tempfile.TemporaryDirectory(prefix="tessera-texts-") as folder:
            path = Path(folder) / name
            with path.open("w", encoding="utf-8") as file:
                write(file, wanted.rows)
            command = [sys.executable, __file__, str(wanted.rows), "--one", str(path)]
            subprocess.run(command, check=True)


def read(path: Path, rows: int) -> None:
    """Read a file about so many pictures, and print its row of the table."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from labeling.imports import source_index
    from labeling.imports.members import Member

    def members() -> Iterator[Member]:
        yield Member(path.name, path.stat().st_size, partial(path.open, "rb"))
        yield from (Member(f"{number}.png", 1, io.BytesIO) for number in range(rows))

    start, began = peak(), time.process_time()
    index = source_index.build(members)
    seconds = time.process_time() - began
    assert not index.refusals and not index.rejections, (index.refusals[:1], index.rejections[:1])
    assert sum(index.read.values()) >= rows
    beyond = peak() - start
    print(
        f"| {path.name} | {rows:,} | {start} | {beyond} | {1e6 * seconds / rows:.0f} |", flush=True
    )


def peak() -> int:
    """Return the most memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def keywords(number: int) -> list[str]:
    return [KEYWORDS[number % 4], KEYWORDS[(number + 1) % 4]]


def write_coco(file: IO[str], rows: int) -> None:
    """Write the annotations first, so that no image is known when they are read."""
    file.write('{"annotations": [')
    _write(file, rows, lambda n: {"id": n, "image_id": n, "caption": CAPTION.format(n)})
    file.write('], "images": [')
    _write(file, rows, lambda n: {"id": n, "file_name": f"{n}.png"})
    file.write("]}")


def write_kohya(file: IO[str], rows: int) -> None:
    for number in range(rows):
        value = {"caption": CAPTION.format(number), "tags": ", ".join(keywords(number))}
        file.write(f'{"," if number else "{"}"{number}.png": {json.dumps(value)}')
    file.write("}")


def write_list(file: IO[str], rows: int) -> None:
    file.write("[")
    _write(file, rows, lambda n: {"file_name": f"{n}.png", "caption": CAPTION.format(n)})
    file.write("]")


def write_csv(file: IO[str], rows: int) -> None:
    file.write("file_name,caption\n")
    file.writelines(f'{number}.png,"{CAPTION.format(number)}"\n' for number in range(rows))


def _write(file: IO[str], rows: int, row: Callable[[int], dict[str, Any]]) -> None:
    for number in range(rows):
        file.write(("," if number else "") + json.dumps(row(number)))


FILES = {
    "coco.json": write_coco,
    "kohya.json": write_kohya,
    "list.json": write_list,
    "table.csv": write_csv,
}

if __name__ == "__main__":
    main()

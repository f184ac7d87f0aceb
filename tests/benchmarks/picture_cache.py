"""What it costs to keep the cache of pictures within its bytes, with very many files.

    python tests/benchmarks/picture_cache.py [--files 1000000]

Writes so many small files as rendered tiles into a temporary folder. Prints the seconds and the
memory to look through them, and to delete a tenth of them, as Markdown.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
HEADER = (
    "| files | looking through them (s) | deleting a tenth of them (s) | memory (MB) |\n"
    "|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=1_000_000)
    count = parser.parse_args().files
    from django.conf import settings

    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as folder:
        settings.configure(CACHE_ROOT=folder, PICTURE_CACHE_BYTES=count)
        from labeling import picture_cache

        _write(Path(folder), count)
        before = _memory()
        looking, none = _timed(picture_cache.sweep)
        settings.PICTURE_CACHE_BYTES = count - 1
        deleting, some = _timed(picture_cache.sweep)
        assert not none and 0.09 * count < some < 0.12 * count, (none, some)
        print(HEADER)
        print(f"| {count:,} | {looking:.1f} | {deleting:.1f} | {_memory() - before:.0f} |")


def _write(folder: Path, count: int) -> None:
    """Write files of one byte, of which each hundredth was used in an hour of its own."""
    for start in range(256):
        (folder / "tiles" / f"{start:02x}").mkdir(parents=True)
    now = time.time()
    for number in range(count):
        path = folder / "tiles" / f"{number % 256:02x}" / f"{number:064x}-0-0-320-240-320.jpeg"
        path.write_bytes(b"0")
        used = now - number * 100 // count * 3_600
        os.utime(path, (used, used))


def _timed(act: object) -> tuple[float, int]:
    assert callable(act)
    start = time.perf_counter()
    result = int(act())
    return time.perf_counter() - start, result


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

"""How well a tile is recognised from an earlier showing, and what a showing costs.

    python -m tests.benchmarks.recognising_tiles FOLDER_OF_PICTURES [--pictures 300] [--showings 8]

Each picture is shown several times, as challenges show it (`labeling.images.variants`). A collector
compares every showing with one earlier showing of each picture: by the bytes of the file, by its
decoded pixels, and by 64-bit perceptual hashes (DCT: the lowest frequencies above their median,
C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010; and the
difference hash by which the product itself finds near-duplicates). A hash recognises a tile where
the nearest of all pictures is the right one, within the most bits at which no more than one of a
thousand pairs of different pictures matches. Needs no database. Prints Markdown.
"""

import argparse
import io
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from scipy.fft import dctn

if TYPE_CHECKING:
    from labeling.models import Tile

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
FALSE_MATCHES = 1e-3  # share of pairs of different pictures
SIDE = 32  # pixels, of which the lowest 8 × 8 frequencies are kept

Hashes = npt.NDArray[np.uint64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--showings", type=int, default=8)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        import django

        django.setup()
        shown = _tiles(wanted.folder, wanted.pictures)
        showings = [[_show(tile, n) for tile in shown] for n in range(wanted.showings)]
        _report(showings)
        _costs(shown)


def _tiles(folder: Path, count: int) -> list["Tile"]:
    """Return the whole tiles of pictures of a folder, stored as the product stores them."""
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage

    from labeling.models import Image, Tile

    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    tiles = []
    for path in random.Random(0).sample(paths, min(count, len(paths))):
        with Pillow.open(path) as picture:
            file = io.BytesIO()
            opaque = Pillow.new("RGBA", picture.size, "white")
            opaque.alpha_composite(picture.convert("RGBA"))
            opaque.convert("RGB").save(file, "WEBP", quality=95)
            width, height = picture.size
        name = default_storage.save(f"{len(tiles)}.webp", ContentFile(file.getvalue()))
        image = Image(sha256=f"{len(tiles):064x}", file=name, width=width, height=height)
        tiles.append(Tile(image=image, grid=1, left=0, top=0, width=width, height=height))
    return tiles


def _show(tile: "Tile", number: int) -> bytes:
    from labeling.images import variants

    return variants.render(tile, showing=f"challenge {number}/1")


def _report(showings: Sequence[Sequence[bytes]]) -> None:
    """Print how many showings are recognised from the first one of each picture."""
    pictures, later = len(showings[0]), [data for row in showings[1:] for data in row]
    earlier = set(showings[0])
    pixels = {_pixels(data).tobytes() for data in showings[0]}
    print(f"{pictures} pictures, {len(showings)} showings of each\n")
    print("| recognised by | share of showings |\n|---|---|")
    print(f"| exact bytes | {_share(data in earlier for data in later)} |")
    print(f"| exact pixels | {_share(_pixels(data).tobytes() in pixels for data in later)} |")
    for name, hash_of in (("64-bit DCT hash", _dct_hash), ("64-bit difference hash", _difference)):
        bits, recognised = _by_hash(showings, hash_of)
        print(f"| {name}, within {bits} bits | {recognised:.1%} |")


def _by_hash(
    showings: Sequence[Sequence[bytes]], hash_of: Callable[[bytes], int]
) -> tuple[int, float]:
    """Return the bits that may differ, and the share of showings that are recognised."""
    hashes = [np.array([hash_of(data) for data in row], np.uint64) for row in showings]
    first = hashes[0]
    different = np.bitwise_count(first[:, np.newaxis] ^ first)[~np.eye(len(first), dtype=bool)]
    bits = next(b for b in range(64, -1, -1) if b == 0 or (different <= b).mean() <= FALSE_MATCHES)
    right = []
    for row in hashes[1:]:
        distances = np.bitwise_count(row[:, np.newaxis] ^ first)
        own = np.diag(distances)
        right.append((own <= bits) & (own == distances.min(axis=1)))
    return bits, float(np.mean(right))


def _costs(shown: Sequence["Tile"]) -> None:
    """Print the CPU time of a showing, beside that of a picture that is served from the cache."""
    from labeling.images import tiles

    for tile in shown:
        tiles.as_webp(tile, longest=300)
        _show(tile, -1)
    cached = _milliseconds(lambda tile, _: tiles.as_webp(tile, longest=300), shown)
    varied = _milliseconds(_show, shown)
    print(f"\nCPU time of a picture: {varied:.2f} ms varied, {cached:.2f} ms as it is cached")


def _milliseconds(show: Callable[["Tile", int], object], shown: Sequence["Tile"]) -> float:
    times = []
    for turn in range(5):
        start = time.process_time()
        for tile in shown:
            show(tile, turn)
        times.append((time.process_time() - start) / len(shown) * 1_000)
    return statistics.median(times)


def _dct_hash(data: bytes) -> int:
    grey = Pillow.open(io.BytesIO(data)).convert("L").resize((SIDE, SIDE))
    low = dctn(np.asarray(grey, np.float64), norm="ortho")[:8, :8].ravel()
    return _number(low > np.median(low[1:]))


def _difference(data: bytes) -> int:
    grey = Pillow.open(io.BytesIO(data)).convert("L").resize((9, 8), Pillow.Resampling.LANCZOS)
    row = np.asarray(grey, np.int16)
    return _number((row[:, 1:] > row[:, :-1]).ravel())


def _number(bits: npt.NDArray[np.bool_]) -> int:
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _pixels(data: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB"))


def _share(matches: Iterable[bool]) -> str:
    values = list(matches)
    return f"{sum(values)} of {len(values)}"


if __name__ == "__main__":
    main()

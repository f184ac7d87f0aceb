"""Which changed copies of a picture are recognised: by its pixels, and by the frozen encoder.

    .venv/bin/python -m tests.benchmarks.near_duplicates [--cifar FOLDER] [--pictures 400]

So many pictures of the demo, and so many of CIFAR-10's test pictures, with a changed copy of each
by every change below. A copy is recognised by the rule of imports (`labeling.images.duplicates`);
where the cosine of its features with the picture's is at least a threshold; or where that is
CANDIDATE and a window of one shows what the other shows (`labeling.images.windows`). Features are
those that the product keeps: principal components of what EfficientNet-Lite0 sees. For each
threshold the share of pictures that have another picture that near is printed. FOLDER holds
`test.zip`, members `test/cat/0000.jpg`.
"""

import argparse
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import django
import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

from config.demo_project import emoji, fetch

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from labeling.decoding.pictures import difference_hash  # noqa: E402
from labeling.images import windows  # noqa: E402
from labeling.images.duplicates import MAX_DISTANCE, look_alike, thumbnail  # noqa: E402
from labeling.images.feature_duplicates import CANDIDATE  # noqa: E402
from tests.benchmarks.zero_shot import CLASSES  # noqa: E402
from training.engine.encoders.efficientnet import load_efficientnet  # noqa: E402
from training.engine.encoders.tile_features import see  # noqa: E402
from training.engine.evaluation.zero_shot import COMPONENTS  # noqa: E402

THRESHOLDS = (0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97)
Change = Callable[[Image.Image], Image.Image]


def main() -> None:
    """Print a table for each set of pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cifar", type=Path, help="a folder with test.zip")
    parser.add_argument("--pictures", type=int, default=400, help="of each set")
    parser.add_argument("--cache", type=Path, help="a folder that keeps what was seen")
    options = parser.parse_args()
    fetch.fetch()
    paths = [each.path for each in emoji.load()]
    demo = [Image.open(path) for path in Random(0).sample(paths, options.pictures)]
    sets = {"demo": [on_white(each) for each in demo]}
    if options.cifar:
        sets["CIFAR-10"] = list(photographs(options.cifar, options.pictures))
    with tempfile.TemporaryDirectory() as name:
        for title, pictures in sets.items():
            measure(title, pictures, Path(name), options.cache or Path(name) / "cache")


def on_white(picture: Image.Image) -> Image.Image:
    """Return a picture without transparency."""
    coloured = picture.convert("RGBA")
    white = Image.new("RGBA", coloured.size, "white")
    return Image.alpha_composite(white, coloured).convert("RGB")


def photographs(folder: Path, count: int) -> Iterator[Image.Image]:
    """Yield test pictures of CIFAR-10, of each class in turn."""
    with zipfile.ZipFile(folder / "test.zip") as archive:
        for number in range(count):
            member = f"test/{CLASSES[number % 10]}/{number // 10:04d}.jpg"
            with Image.open(io.BytesIO(archive.read(member))) as picture:
                yield picture.convert("RGB")


def changes() -> dict[str, Change]:
    """Return the changes by their names."""
    return {
        "saved again (JPEG 40)": lambda picture: saved(picture, 40),
        "half the size": lambda picture: picture.resize([side // 2 for side in picture.size]),
        "brighter by a quarter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.25),
        "mirrored": ImageOps.mirror,
        "95 % of each side": lambda picture: cropped(picture, 0.95),
        "85 % of each side": lambda picture: cropped(picture, 0.85),
        "turned by 5 degrees": lambda picture: picture.rotate(5, fillcolor="white"),
        "a border of a tenth": lambda picture: ImageOps.expand(
            picture, picture.width // 10, "white"
        ),
    }


def saved(picture: Image.Image, quality: int) -> Image.Image:
    """Return a picture after its compression."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def cropped(picture: Image.Image, share: float) -> Image.Image:
    """Return the upper left part of a picture, so much of each side."""
    return picture.crop((0, 0, round(share * picture.width), round(share * picture.height)))


def measure(title: str, pictures: list[Image.Image], work: Path, cache: Path) -> None:
    """Print which copies are recognised, and how near other pictures come."""
    own = features(pictures, work, cache)
    mean = own.mean(0)
    axes = torch.linalg.svd(own - mean, full_matrices=False).Vh.T[:, :COMPONENTS]
    units = torch.nn.functional.normalize((own - mean) @ axes, dim=1)
    nearest = (units @ units.T).fill_diagonal_(-1).max(1).values
    print(f"\n{title}, {len(pictures)} pictures")
    print(f"| change | pixels | {' | '.join(map(str, THRESHOLDS))} | both |")
    print("|---" * (len(THRESHOLDS) + 3) + "|")
    own_windows = [windows.cut(webp(picture)) for picture in pictures]
    for name, change in changes().items():
        copies = [change(picture) for picture in pictures]
        by_pixels = [repeats(*pair) for pair in zip(pictures, copies, strict=True)]
        changed = torch.nn.functional.normalize(
            (features(copies, work, cache) - mean) @ axes, dim=1
        )
        cosines = (units * changed).sum(1)
        same = [
            float(cosine) >= CANDIDATE and windows.show_the_same(seen, windows.cut(webp(copy)))
            for cosine, seen, copy in zip(cosines, own_windows, copies, strict=True)
        ]
        row(name, f"{np.mean(by_pixels):.2f}", cosines, f"{np.mean(same):.2f}")
    pairs = np.argwhere((units @ units.T).triu(1).numpy() >= CANDIDATE).tolist()
    alike = [pair for pair in pairs if windows.show_the_same(*(own_windows[i] for i in pair))]
    row("another picture", "", nearest, f"{len({int(i) for pair in alike for i in pair})} pictures")
    print(f"{len(pairs)} pairs of others are near, {len(alike)} are taken for near-duplicates")


def row(name: str, by_pixels: str, cosines: torch.Tensor, by_both: str) -> None:
    """Print the share of the cosines from each threshold on."""
    shares = [f"{float((cosines >= threshold).double().mean()):.3f}" for threshold in THRESHOLDS]
    print(f"| {name} | {by_pixels} | {' | '.join(shares)} | {by_both} |", flush=True)


def repeats(picture: Image.Image, copy: Image.Image) -> bool:
    """Return whether the product takes a copy for a near-duplicate by its pixels."""
    bits = ((difference_hash(picture) ^ difference_hash(copy)) % 2**64).bit_count()
    return bits <= MAX_DISTANCE and look_alike(*(thumbnail(webp(each)) for each in (picture, copy)))


def webp(picture: Image.Image) -> bytes:
    """Return the picture as it is stored."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=90)
    return file.getvalue()


def features(pictures: list[Image.Image], work: Path, cache: Path) -> torch.Tensor:
    """Return what the encoder sees (n, 1280)."""
    tiles = []
    for number, picture in enumerate(pictures):
        path = work / f"{number}.png"
        picture.save(path)
        tiles.append((path, None))
    seen = see(tiles, load_efficientnet(), cache, work / "seen.npy")
    return seen.rows(np.arange(len(tiles)))


if __name__ == "__main__":
    main()

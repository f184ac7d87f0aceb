"""How well held-out pictures come back from latents: the autoencoder's, and principal components.

    python tests/benchmarks/autoencoder.py SNAPSHOT [--cache FOLDER] [--steps 2600] [--threads 1]

Fits the autoencoder to the snapshot's training pictures, or takes it from the cache. Prints the
PSNR of held-out pictures, their distance as the frozen encoder sees it, and the CPU seconds.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels
from training.engine.data.rows import digest
from training.engine.data.snapshot import read_snapshot
from training.engine.latents import pca
from training.engine.latents.autoencoder import signed
from training.engine.latents.fit_autoencoder import Task, fit
from training.engine.latents.reconstruction import PERCEPTION, by_pixels, distance

SIZE = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "autoencoder")
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--threads", type=int, default=1)
    wanted = parser.parse_args()
    torch.set_num_threads(wanted.threads)
    snapshot = read_snapshot(wanted.snapshot)
    train, test = (
        pack(rows, SIZE, wanted.cache, digest(rows)) for rows in (snapshot.train, snapshot.test)
    )
    started = time.process_time()
    autoencoder = fit(Task(snapshot.train, train, wanted.cache, wanted.steps))
    print(f"fitted in {time.process_time() - started:.0f} CPU s (0: it was in the cache)\n")
    print("| latents | PSNR, dB | distance as seen |\n|---|---:|---:|")
    show("autoencoder", test, autoencoder.pictures(autoencoder.encode_all(test)))
    for components in (384, 512):
        space = pca.fit(train, components, seed=0)
        show(f"{components} components", test, space.pictures(space.encode_all(test)))


@torch.no_grad()
def show(name: str, real: Pixels, decoded: Pixels) -> None:
    """Print a row of the table."""
    error = ((decoded.astype(float) - real) ** 2).mean((1, 2, 3))
    psnr = (10 * np.log10(255**2 / error)).mean()
    pictures, originals = signed(decoded), signed(real)
    seen = (distance()(pictures, originals) - by_pixels(pictures, originals)) / PERCEPTION
    print(f"| {name} | {psnr:.1f} | {float(seen):.2f} |")


if __name__ == "__main__":
    main()

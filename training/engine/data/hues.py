"""Pictures in other hues, and what is then said of them: so that colour words mean something."""

from collections.abc import Sequence
from colorsys import rgb_to_hsv
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.engine.data.beliefs import TAG_CONFIDENCE
from training.engine.data.colours import PROTOTYPES, shares
from training.engine.data.pictures import Pixels
from training.engine.data.rows import Row

OTHERS = 3  # colours that a picture is given
SPREAD = 6  # of 256 hues: how far a colour's is varied, either way
SURE = 0.6  # the share of a picture's coloured pixels that names its colour
CHANGE = 8.0  # the least mean difference of pixels, of 255, that another hue makes
AT_MOST = 4096  # pictures in other hues
SIDE = 16  # pixels at which colours are looked at

NAMES = tuple(PROTOTYPES)
HUES = np.array(
    [round(256 * rgb_to_hsv(*(part / 255 for part in rgb))[0]) for rgb in PROTOTYPES.values()]
)


def named(rows: Sequence[Row], pixels: Pixels) -> list[Row]:
    """The rows; where a picture (n, s, s, 3) is plainly of one colour, also captioned so."""
    return [
        replace(row, captions=(*row.captions, _said(row, colour)))
        if colour and row.captions and _thing(row)
        else row
        for row, colour in zip(rows, _colours(pixels), strict=True)
    ]


def recoloured(rows: Sequence[Row], pixels: Pixels, seed: int) -> tuple[list[Row], Pixels]:
    """Pictures in hues that give them another colour, captioned by it and by nothing else.

    Rows and pictures (m, s, s, 3) for some of the rows that say what they show.
    """
    random = np.random.default_rng(seed)
    found = _colours(pixels)
    plain = [index for index, row in enumerate(rows) if found[index] and _thing(row)]
    chosen = np.sort(random.permutation(np.array(plain, np.int64))[: AT_MOST // OTHERS])
    before = np.asarray(pixels[chosen])
    own = np.array([NAMES.index(str(found[index])) for index in chosen], np.int64)
    others: list[Row] = []
    pictures = [before[:0]]
    steps = random.permuted(np.tile(np.arange(1, len(NAMES)), (len(chosen), 1)), axis=1)
    for step in steps.T[:OTHERS]:  # (chosen,): how many names on the new colour is
        turn = HUES[(own + step) % len(NAMES)] - HUES[own]
        after = turned(before, turn + random.integers(-SPREAD, SPREAD + 1, len(chosen)))
        away = np.abs(after.astype(np.int16) - before).mean((1, 2, 3))
        become = _colours(after)
        kept = [i for i, colour in enumerate(become) if colour and away[i] > CHANGE]
        others += [_only(rows[chosen[i]], str(become[i]), int(step[i])) for i in kept]
        pictures.append(after[kept])
    return others, np.concatenate(pictures)


def turned(pixels: Pixels, turns: NDArray[np.int64]) -> Pixels:
    """Pictures (n, s, s, 3) with their hues moved by ``turns`` (n,), of 256; white stays white."""
    count, size = pixels.shape[:2]
    if not count:
        return pixels
    hsv = np.array(Image.fromarray(pixels.reshape(-1, size, 3)).convert("HSV"))
    hsv = hsv.reshape(pixels.shape)
    hsv[..., 0] += turns.astype(np.uint8)[:, None, None]
    image = Image.frombytes("HSV", (size, count * size), hsv.tobytes())
    return np.asarray(image.convert("RGB")).reshape(pixels.shape)


def _colours(pixels: Pixels) -> list[str | None]:
    """The colour of each picture that is plainly of one, or None."""
    step = max(1, pixels.shape[1] // SIDE)
    parts = [
        shares(pixels[start : start + 512, ::step, ::step]) for start in range(0, len(pixels), 512)
    ]
    return [NAMES[line.argmax()] if line.max() >= SURE else None for part in parts for line in part]


def _thing(row: Row) -> str:
    """The first caption, or else the first keyword, without colours."""
    text = next((text for text, _ in row.captions), next(iter(row.tags), ""))
    return " ".join(word for word in text.split() if word.lower() not in PROTOTYPES)


def _said(row: Row, colour: str) -> tuple[str, float]:
    """The caption with this colour, believed as much as the row's own."""
    belief = row.captions[0][1] if row.captions else TAG_CONFIDENCE
    return f"{colour} {_thing(row)}", belief


def _only(row: Row, colour: str, step: int) -> Row:
    return replace(
        row,
        captions=(_said(row, colour),),
        tags=(),
        concepts={},
        content=f"{row.key} other colour {step}",
    )

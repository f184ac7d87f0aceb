"""Augment pictures by other colours, and captions by their names, so that colour words count."""

from collections.abc import Sequence
from colorsys import rgb_to_hsv
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.engine.data.colours import PROTOTYPES, shares
from training.engine.data.conditioning import TAG_PROBABILITY
from training.engine.data.pictures import Pixels
from training.engine.data.rows import Row

COPIES = 3  # colours that a picture is given
JITTER = 6  # of 256 hues: how far a colour's hue is varied, either way
DOMINANT = 0.6  # the share of a picture's coloured pixels that names its colour
LEAST_CHANGE = 8.0  # the mean difference of pixels, of 255, that another hue must make
MOST = 4096  # recoloured pictures
SIZE = 16  # pixels at which colours are looked at
BATCH = 512

NAMES = tuple(PROTOTYPES)
HUES = np.array(
    [round(256 * rgb_to_hsv(*(part / 255 for part in rgb))[0]) for rgb in PROTOTYPES.values()]
)


def caption_colours(rows: Sequence[Row], pixels: Pixels) -> list[Row]:
    """Return the rows; add a caption with its colour to each picture (n, s, s, 3) that has one."""
    return [
        replace(row, captions=(*row.captions, _coloured_caption(row, colour)))
        if colour and row.captions and _thing(row)
        else row
        for row, colour in zip(rows, _dominant_colours(pixels), strict=True)
    ]


def recolour(rows: Sequence[Row], pixels: Pixels, seed: int) -> tuple[list[Row], Pixels]:
    """Shift the hues of some pictures so that they get another colour, and caption them by it.

    Return rows and pictures (m, s, s, 3) of at most three new colours each, of rows that say what
    they show and have one dominant colour.
    """
    random = np.random.default_rng(seed)
    colours = _dominant_colours(pixels)
    usable = [index for index, row in enumerate(rows) if colours[index] and _thing(row)]
    chosen = np.sort(random.permutation(np.array(usable, np.int64))[: MOST // COPIES])
    before = np.asarray(pixels[chosen])
    own = np.array([NAMES.index(str(colours[index])) for index in chosen], np.int64)
    new_rows: list[Row] = []
    new_pictures = [before[:0]]
    steps = random.permuted(np.tile(np.arange(1, len(NAMES)), (len(chosen), 1)), axis=1)
    for step in steps.T[:COPIES]:  # (chosen,): how many names on the new colour is
        turn = HUES[(own + step) % len(NAMES)] - HUES[own]
        after = shift_hues(before, turn + random.integers(-JITTER, JITTER + 1, len(chosen)))
        change = np.abs(after.astype(np.int16) - before).mean((1, 2, 3))
        new_colours = _dominant_colours(after)
        kept = [i for i, colour in enumerate(new_colours) if colour and change[i] > LEAST_CHANGE]
        new_rows += [
            _recoloured_row(rows[chosen[i]], str(new_colours[i]), int(step[i])) for i in kept
        ]
        new_pictures.append(after[kept])
    return new_rows, np.concatenate(new_pictures)


def shift_hues(pixels: Pixels, turns: NDArray[np.int64]) -> Pixels:
    """Return pictures (n, s, s, 3) with hues moved by ``turns`` (n,), of 256; greys stay grey."""
    count, size = pixels.shape[:2]
    if not count:
        return pixels
    hsv = np.array(Image.fromarray(pixels.reshape(-1, size, 3)).convert("HSV"))
    hsv = hsv.reshape(pixels.shape)
    hsv[..., 0] += turns.astype(np.uint8)[:, None, None]
    image = Image.frombytes("HSV", (size, count * size), hsv.tobytes())
    return np.asarray(image.convert("RGB")).reshape(pixels.shape)


def _dominant_colours(pixels: Pixels) -> list[str | None]:
    """Return the colour that most coloured pixels of each picture have, or None."""
    step = max(1, pixels.shape[1] // SIZE)
    parts = [
        shares(pixels[start : start + BATCH, ::step, ::step])
        for start in range(0, len(pixels), BATCH)
    ]
    return [
        NAMES[share.argmax()] if share.max() >= DOMINANT else None
        for part in parts
        for share in part
    ]


def _thing(row: Row) -> str:
    """Return the first caption, or else the first keyword, without colours."""
    text = next((text for text, _ in row.captions), next(iter(row.tags), ""))
    return " ".join(word for word in text.split() if word.lower() not in PROTOTYPES)


def _coloured_caption(row: Row, colour: str) -> tuple[str, float]:
    """Return the caption with this colour, as likely as the row's own."""
    probability = row.captions[0][1] if row.captions else TAG_PROBABILITY
    return f"{colour} {_thing(row)}", probability


def _recoloured_row(row: Row, colour: str, step: int) -> Row:
    return replace(
        row,
        captions=(_coloured_caption(row, colour),),
        tags=(),
        concepts={},
        content=f"{row.key} other colour {step}",
    )

"""Fonts as the benchmark of pairs learns from them: their letters, by families of alike fonts."""

import string
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE = 32
LETTERS = string.ascii_lowercase
HELD_OUT = 40  # families
FILES_MAX = 4  # of a family
ALIKE = 0.05  # root mean square difference of all letters below which two fonts are one family
STYLES = (  # noqa: SIM905  (as a list it would be a page long)
    "regular roman book medium normal bold semibold demibold demi extrabold black heavy light thin "
    "extralight ultralight italic oblique slanted condensed cond narrow wide expanded extended "
    "caps std pro text display mono sans serif otf ttf lt mt 10 12 8 9 17"
).split()


Glyphs = NDArray[np.uint8]  # (2, 26, SIDE, SIDE): lower-case, then capitals


@dataclass(frozen=True)
class Font:
    path: Path
    family: str
    glyphs: Glyphs


def read_fonts(folder: Path) -> list[Font]:
    """Return the fonts that have all letters, grouped into families of fonts that draw alike."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".ttf", ".otf"))
    fonts = [font for path in paths if (font := read_font(path))]
    return merged(distinct(fonts))


def read_font(path: Path) -> Font | None:
    """Return a font's letters, or None where it lacks some, or its cases are one."""
    try:
        glyphs, name = draw_letters(path), ImageFont.truetype(path, 20).getname()[0] or path.stem
    except (OSError, ValueError):
        return None
    shapes = {glyph.tobytes() for glyph in glyphs.reshape(-1, SIDE, SIDE)}
    ink = (glyphs < 128).sum((2, 3))
    if len(shapes) < 50 or ink.min() < 8 or lacks_letters(path) or has_one_case(glyphs):
        return None
    return Font(path, family_of(name), glyphs)


def lacks_letters(path: Path) -> bool:
    """Return whether the font draws some letter as it draws what no font has."""
    font = ImageFont.truetype(path, 40)
    drawn = [bytes(font.getmask(letter)) for letter in LETTERS + LETTERS.upper()]
    return bytes(font.getmask("\U0010fffe")) in drawn


def has_one_case(glyphs: Glyphs) -> bool:
    """Return whether the lower-case letters are small capitals, in whatever size.

    They are if most are nearest to the capital of their own letter; of letters whose cases differ
    in shape, few are.
    """
    lower, upper = (np.stack([filled(glyph) for glyph in glyphs[case]]) for case in (0, 1))
    differ = [LETTERS.index(letter) for letter in "abdefghlmnqrt"]
    nearest = [int(rms(np.broadcast_to(lower[i], upper.shape), upper).argmin()) for i in differ]
    return sum(i == j for i, j in zip(nearest, differ, strict=True)) > len(differ) / 2


def filled(glyph: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a letter stretched to fill a square of 16 pixels."""
    rows, columns = (np.flatnonzero((glyph < 128).any(axis)) for axis in (1, 0))
    ink = glyph[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(Image.fromarray(ink).resize((16, 16), Image.Resampling.BOX))


def draw_letters(path: Path) -> Glyphs:
    """Draw all letters on one line and in one scale: the tallest fills the square but two pixels.

    Raises OSError or ValueError for a file that is no such font.
    """
    big = ImageFont.truetype(path, 200)
    boxes = [big.getbbox(letter, anchor="ls") for letter in LETTERS + LETTERS.upper()]
    top, bottom = min(box[1] for box in boxes), max(box[3] for box in boxes)
    widest = max(box[2] - box[0] for box in boxes)
    size = 200 * 4 * (SIDE - 4) / max(bottom - top, widest, 1)
    font = ImageFont.truetype(path, size)
    baseline = 4 * SIDE // 2 - (top + bottom) * size / 200 / 2
    cells = []
    for letter in LETTERS + LETTERS.upper():
        cell = Image.new("L", (4 * SIDE, 4 * SIDE), 255)
        left, _, right, _ = font.getbbox(letter, anchor="ls")
        place = (2 * SIDE - (left + right) / 2, baseline)
        ImageDraw.Draw(cell).text(place, letter, fill=0, font=font, anchor="ls")
        cells.append(np.asarray(cell.resize((SIDE, SIDE), Image.Resampling.BOX)))
    return np.stack(cells).reshape(2, 26, SIDE, SIDE)


def family_of(name: str) -> str:
    """Return a family's name without the words of its styles."""
    words = "".join(c if c.isalnum() else " " for c in name.lower()).split()
    return " ".join(word for word in words if word not in STYLES) or name.lower()


def distinct(fonts: Iterable[Font]) -> list[Font]:
    """Return each drawing once: a font often comes in several formats and packages."""
    by_drawing = {font.glyphs.tobytes(): font for font in fonts}
    return sorted(by_drawing.values(), key=lambda font: str(font.path))


def merged(fonts: Sequence[Font]) -> list[Font]:
    """Merge families that have fonts which draw alike, and keep a few files of each."""
    flat = torch.stack([torch.from_numpy(font.glyphs.copy()).flatten() for font in fonts]).float()
    near = torch.cdist(flat / 255, flat / 255) / flat.shape[1] ** 0.5 < ALIKE
    parent = {font.family: font.family for font in fonts}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for i, j in near.triu(1).nonzero().tolist():
        parent[root(fonts[j].family)] = root(fonts[i].family)
    groups: dict[str, list[Font]] = defaultdict(list)
    for font in fonts:
        name = root(font.family)
        groups[name].append(Font(font.path, name, font.glyphs))
    return [
        group[place]
        for _, group in sorted(groups.items())
        for place in sorted({len(group) * i // FILES_MAX for i in range(FILES_MAX)})
    ]


def split(fonts: Sequence[Font]) -> tuple[list[Font], list[Font]]:
    """Return the fonts to learn from, and one of each held-out family."""
    families = sorted({font.family for font in fonts})
    random = np.random.default_rng(0)
    held_out = set(random.permutation(families)[:HELD_OUT].tolist())
    test: dict[str, list[Font]] = defaultdict(list)
    for font in fonts:
        if font.family in held_out:
            test[font.family].append(font)
    chosen = [group[random.integers(len(group))] for group in test.values()]
    return [font for font in fonts if font.family not in held_out], chosen


def rms(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return root mean square differences (n,) of pictures (n, s, s) in [0, 1]."""
    difference = (first.astype(np.float64) - second) / 255
    root: NDArray[np.float64] = np.sqrt(np.square(difference).mean((-1, -2)))
    return root

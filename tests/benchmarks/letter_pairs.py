"""Measure the recipe `pairs` on letters: from a lower-case letter, draw the capital of its font.

    python -m tests.benchmarks.letter_pairs FONTS OUT [--steps N] [--preset cpu] [--option n=v …]

FONTS is a folder, however deep, of font files. Debian's free fonts come into one without being
installed: `apt-get download fonts-lato fonts-adf-tribun …`, then `dpkg -x FILE.deb FONTS` for each.
OUT gets the pictures, the run, `figures.json` and `held-out.png`.

A font takes part if it has all 52 letters, as distinct shapes; fonts that draw alike are one
family, whatever they are called, and a family gives four files at most. Families are held out
whole, and the letters g, k and r are in no pair at all, with and without the text that names them.
The judge is a small convolutional network, trained on the real capitals of the other families; OUT
keeps it as `judge.pt`, and measuring again on the same fonts uses it and the run that is there.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import nn

from tests.benchmarks.letter_fonts import LETTERS, SIDE, Font, read_fonts, rms, split
from tests.benchmarks.letter_judge import floats, judge_of
from tests.pictures import patchwork
from training.engine.data.pictures import Pixels, png, tiled
from training.engine.files import write_json
from training.engine.recipes import load_translator
from training.engine.recipes.base import Translator

UNSEEN = "gkr"  # in no pair
SEEN = [letter for letter in LETTERS if letter not in UNSEEN]
OTHERS = 19
SHOWN = 10  # families in the picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fonts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--preset", default="cpu")
    parser.add_argument("--option", action="append", default=[], help="name=value, as JSON")
    parser.add_argument("--no-text", action="store_true", help="pairs without captions")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    train, test = split(read_fonts(options.fonts))
    families = len({font.family for font in train})
    print(f"{len(train)} fonts of {families} families to learn from, {len(test)} held out")
    snapshot = write_snapshot(options.out / "snapshot", train, test, text=not options.no_text)
    changes = dict(each.partition("=")[::2] for each in options.option)
    model = fit(
        options.out / "run",
        snapshot,
        options.preset,
        {"steps": options.steps} | {name: json.loads(value) for name, value in changes.items()},
    )
    figures = measure(
        load_translator(model), judge_of(options.out / "judge.pt", train), train, test
    )
    metrics = json.loads((model.parent / "metrics.json").read_text())
    figures |= {"seconds": metrics["training_seconds"], "steps": metrics["steps"]}
    figures |= {"fonts": len(train), "families": families}
    write_json(options.out / "figures.json", figures)
    (options.out / "held-out.png").write_bytes(picture(load_translator(model), test))
    print(json.dumps(figures, indent=1))


# Training


def write_snapshot(folder: Path, train: list[Font], test: list[Font], *, text: bool) -> Path:
    """Write pairs of letters as a snapshot has them: both halves side by side in one picture."""
    for name, fonts in (("train", train), ("test", test)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        lines = []
        for number, font in enumerate(fonts):
            for letter in SEEN:
                file = f"{number:04}-{letter}.png"
                halves = font.glyphs[:, LETTERS.index(letter)]
                gap = np.full((SIDE, SIDE // 16), 255, np.uint8)
                Image.fromarray(np.concatenate([halves[0], gap, halves[1]], 1)).save(
                    folder / name / file
                )
                caption = {"text": f"the letter {letter}", "confidence": 1.0}
                row = {"file_name": file, "captions": [caption] if text else [], "pair": 1.0}
                lines.append(json.dumps({**row, "tags": [], "concepts": []}) + "\n")
        (folder / name / "metadata.jsonl").write_text("".join(lines))
    write_json(folder / "manifest.json", {"format": 3, "project": "letters", "concepts": []})
    return folder


def fit(run: Path, snapshot: Path, preset: str, options: dict[str, Any]) -> Path:
    """Fit a model as a run of its own, unless that is done already; return its folder."""
    if (run / "metrics.json").is_file():
        return run / "model"
    config = {"recipe": "pairs", "preset": preset, "snapshot": str(snapshot), "options": options}
    write_json(run / "config.json", config)
    subprocess.run([sys.executable, "-m", "training", "fit", str(run)], check=True)
    return run / "model"


# Figures


def measure(
    translator: Translator, judge: nn.Module, train: list[Font], test: list[Font]
) -> dict[str, Any]:
    """Return how many drawn capitals are read, and how many have the style of their own font."""
    figures: dict[str, Any] = {}
    for name, letters, text in (
        ("known letters", SEEN, False),
        ("known letters, named", SEEN, True),
        ("letters of no pair", UNSEEN, False),
        ("letters of no pair, named", UNSEEN, True),
    ):
        figures[name] = of_drawn(judge, draw(translator, test, letters, text=text), test, letters)
    places = [LETTERS.index(letter) for letter in SEEN]
    real = np.stack([font.glyphs[1, places] for font in test])
    lower = np.stack([font.glyphs[0, places] for font in test])
    figures["real capitals"] = of_drawn(judge, real, test, SEEN)
    figures["the lower-case letter itself"] = of_drawn(judge, lower, test, SEEN)
    figures["capital of the nearest letter"] = of_drawn(
        judge, nearest(train, lower, places), test, SEEN
    )
    figures["odd inputs"] = odd_inputs(translator)
    return figures


def draw(
    translator: Translator, fonts: list[Font], letters: Iterable[str], *, text: bool
) -> NDArray[np.uint8]:
    """Return the drawn capitals (fonts, letters, SIDE, SIDE)."""
    drawn = []
    for font in fonts:
        lower = font.glyphs[0, [LETTERS.index(letter) for letter in letters]]
        prompts = [f"the letter {letter}" if text else "" for letter in letters]
        halves = translator.translate(coloured(lower), prompts, [0] * len(lower))
        small = [np.asarray(Image.fromarray(h).convert("L").resize((SIDE, SIDE))) for h in halves]
        drawn.append(np.stack(small))
    return np.stack(drawn)


def of_drawn(
    judge: nn.Module, drawn: NDArray[np.uint8], fonts: list[Font], letters: Iterable[str]
) -> dict[str, float]:
    """Return the share of capitals (fonts, letters, s, s) that are read, and that have the style.

    Style: nearer to the own font's capital than to those of 19 other held-out families.
    """
    places = [LETTERS.index(letter) for letter in letters]
    with torch.no_grad():
        answer = judge(floats(drawn.reshape(-1, SIDE, SIDE))).argmax(1).reshape(len(fonts), -1)
    read = (answer == torch.tensor(places)).float().mean()
    real = np.stack([font.glyphs[1, places] for font in fonts])  # (F, L, s, s)
    random, styled = np.random.default_rng(0), []
    for row in range(len(fonts)):
        others = [i for i in random.permutation(len(fonts)) if i != row][:OTHERS]
        own = rms(drawn[row], real[row])  # (L,)
        nearest_other = np.min([rms(drawn[row], real[i]) for i in others], 0)
        styled.append(own < nearest_other)
    return {"read": round(float(read), 4), "own style": round(float(np.mean(styled)), 4)}


def nearest(train: list[Font], lower: NDArray[np.uint8], places: list[int]) -> NDArray[np.uint8]:
    """Return the capitals of the nearest lower-case letters that were learnt from."""
    known = np.concatenate([font.glyphs[0, places] for font in train])
    capitals = np.concatenate([font.glyphs[1, places] for font in train])
    flat = floats(lower.reshape(-1, SIDE, SIDE)).flatten(1)
    rows = torch.cdist(flat, floats(known).flatten(1)).argmin(1).numpy()
    return capitals[rows].reshape(lower.shape)


def odd_inputs(translator: Translator) -> dict[str, float]:
    """Draw the other half of what is no letter; return how bright each is, from 0 to 1."""
    emoji = Image.new("RGB", (SIDE, SIDE), "white")
    ImageDraw.Draw(emoji).ellipse((4, 4, 28, 28), fill="gold", outline="black")
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    inputs = {
        "a picture of many colours": np.asarray(patchwork(3, (SIDE, SIDE))),
        "an emoji": np.asarray(emoji),
        "noise": noise,
        "one colour": np.full((SIDE, SIDE, 3), (200, 30, 90), np.uint8),
    }
    count = len(inputs)
    drawn = translator.translate(np.stack(list(inputs.values())), [""] * count, [0] * count)
    return {name: round(float(d.mean()) / 255, 3) for name, d in zip(inputs, drawn, strict=True)}


def picture(translator: Translator, fonts: list[Font]) -> bytes:
    """Return a PNG: a block of three rows a family, lower case, drawn, and the true capitals."""
    letters, rows = "abdefghkmnqrt", []
    for font in fonts[:SHOWN]:
        places = [LETTERS.index(letter) for letter in letters]
        drawn = draw(translator, [font], letters, text=False)[0]
        for line in (font.glyphs[0, places], drawn, font.glyphs[1, places]):
            rows.append(coloured(line))
    return png(tiled(np.concatenate(rows), len(letters)))


def coloured(grey: NDArray[np.uint8]) -> Pixels:
    """Return grey pictures (n, s, s) as (n, s, s, 3)."""
    return np.repeat(grey[..., None], 3, -1)


if __name__ == "__main__":
    main()

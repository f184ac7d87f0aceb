"""Whether a model generates things in colours that no training picture shows them in."""

import numpy as np
import torch
from torch import Tensor

from training.engine.data import colours
from training.engine.data.packing import pack
from training.engine.data.pictures import Pixels, resized
from training.engine.data.prompts import coloured, named_colour
from training.engine.data.rows import Row, Snapshot, digest
from training.engine.evaluation import intervals, metrics, prompt_fit
from training.engine.evaluation.intervals import Values, entries
from training.engine.evaluation.judges import Judge
from training.engine.evaluation.prompt_sets import PromptSet

COLOURS = list(colours.PROTOTYPES)
SIZE = 32  # pixels at which colours are looked at
FEWEST = 10  # real pictures by which a judge's eye for colours is known
MOST = 500  # real pictures that are looked at

Colour = tuple[str, str]  # a colour and the thing that has it


def measure(
    prompt_set: PromptSet, pictures: Pixels, judge: Judge, snapshot: Snapshot
) -> dict[str, float]:
    """Return R-precision, and how often the colour asked for is seen, by judge and by pixels."""
    if not prompt_set.has_several_texts:
        return {}
    images = judge.embed_pictures(pictures)
    pairs = [(p.split()[1], p.split()[2]) for p in prompt_set.prompts for _ in prompt_set.seeds]
    seen = {judge.name: _seen_by_judge(images, pairs, judge), "pixels": _seen_in(pictures, pairs)}
    of_real = _real_colours(judge, snapshot)
    figures = prompt_fit.r_precision(prompt_set, images, judge)
    for name, hits in seen.items():
        figure = intervals.mean(intervals.mean_by_prompt(hits, prompt_set.prompt_index))
        figures |= entries(
            f"unseen_colour@{name}", figure, chance=1 / len(COLOURS), **of_real[name]
        )
    return figures


def _seen_by_judge(images: Tensor, pairs: list[Colour], judge: Judge) -> Values:
    """Return whether of a thing in all colours the one asked for suits a picture best (n,)."""
    things = list(dict.fromkeys(thing for _, thing in pairs))
    texts = judge.embed_texts([coloured(colour, thing) for thing in things for colour in COLOURS])
    hits = []
    for image, (colour, thing) in zip(images, pairs, strict=True):
        start = things.index(thing) * len(COLOURS)
        own = torch.tensor([COLOURS.index(colour)])
        hits.append(metrics.r_precision(image[None], texts[start : start + len(COLOURS)], own)[0])
    return np.array(hits)


def _seen_in(pictures: Pixels, pairs: list[Colour]) -> Values:
    """Return whether most coloured pixels have the colour asked for: (n,)."""
    shares = torch.from_numpy(colours.shares(resized(pictures, SIZE)))
    own = torch.tensor([COLOURS.index(colour) for colour, _ in pairs])
    return metrics.r_precision(shares, torch.eye(len(COLOURS)).double(), own)


def _real_colours(judge: Judge, snapshot: Snapshot) -> dict[str, dict[str, float]]:
    """Return how often the colour that a real picture's caption names is seen, by either.

    Nobody trained the judge by pixels, so that all pictures are new to it.
    """
    test, train = (
        [row for row in rows if named_colour(row)] for rows in (snapshot.test, snapshot.train)
    )
    figures: dict[str, dict[str, float]] = {judge.name: {}, "pixels": {}}
    for key, rows in (("real", test), ("real_training", train)):
        if len(rows) >= FEWEST:
            pairs = [(str(named_colour(row)), _thing(row)) for row in rows]
            hits = _seen_by_judge(judge.embed_rows(rows), pairs, judge)
            figures[judge.name][key] = float(hits.mean())
    both = (test + train)[:MOST]
    if both:
        pairs = [(str(named_colour(row)), "") for row in both]
        pictures = pack(both, SIZE, judge.cache, digest(both))
        figures["pixels"]["real"] = float(_seen_in(np.asarray(pictures), pairs).mean())
    return figures


def _thing(row: Row) -> str:
    """Return the caption without its colour."""
    colour = named_colour(row)
    return " ".join(word for word in row.captions[0][0].split() if word.lower() != colour)

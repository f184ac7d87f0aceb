"""Whether people's verdicts on drawings make the next models better: used against ignored.

    python tests/benchmarks/verdicts.py SNAPSHOT MODEL --out FOLDER [--arm used] [--cache FOLDER]

Plays rounds of the loop, from one model on. In each, the newest model draws prompts, simulated
people say of every drawing whether it shows its prompt, and the next model goes on from that one.
The arms differ by what it learns from beside the real pictures:

- ``used``: the judged drawings as rated pictures, and pairs of them by preference, as scheduled
  training does;
- ``rated``: the judged drawings as rated pictures alone;
- ``ignored``: nothing.

Where no pairs are learnt, a third more steps are made, for what pairs cost.

*People* see what a map from the frozen image encoder to the sentence encoder sees, fitted to all of
the snapshot's pictures: a drawing shows its prompt where that fits best of all prompts. Each answer
is right with probability .9; a drawing is asked about until it is settled at .95, five times at
most. *The judge* is another network, trained on other texts: ``lsa-clip``, as in every evaluation.

Prompts that are judged are captions of training pictures. Quality is measured on these with other
seeds, on captions that nobody judged drawings of, on held-out captions, and on colours and things
that no picture shows together. Each arm writes FOLDER/ARM.json; whatever arms are there are put
in a table, with bootstrap intervals (5 % to 95 %) over prompts, paired between arms.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from training.engine.data.drawings import with_drawings
from training.engine.data.pictures import Pixels, png
from training.engine.data.preferences import preferences_of
from training.engine.data.prompts import fixed_prompts, text_of
from training.engine.data.rows import Drawings, Row, Snapshot
from training.engine.data.snapshot import read_snapshot
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.evaluation import image_judge, intervals, judges, metrics, near_copies
from training.engine.evaluation.prompt_sets import (
    PromptSet,
    fixed,
    of_held_out,
    of_unseen_pairs,
    spread,
)
from training.engine.files import TrainingError
from training.engine.latents.neighbours import Neighbours
from training.engine.loop.loop import Loop
from training.engine.presets import PREFERENCES
from training.engine.recipes import RECIPES, configure, load_generator
from training.engine.recipes.base import ImageGenerator, Source
from training.engine.recipes.diffusion import DiffusionTraining
from training.engine.recipes.going_on import own_options

ARMS = ("used", "rated", "ignored")
RIGHT = 0.9  # how often an answer is right
SETTLED = 0.95
ANSWERS_MAX = 5
RIDGE = 1.0
LONGER = 4 / 3  # steps without preferences, for one with them
JUDGE_STEPS = 300


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    snapshot: Path
    model: Path
    out: Path
    cache: Path
    rounds: int
    steps: int
    prompts: int
    seeds: int

    @cached_property
    def data(self) -> Snapshot:
        return replace(read_snapshot(self.snapshot), drawings=Drawings())

    @cached_property
    def texts(self) -> list[str]:
        """Distinct captions of training pictures by which nothing is measured, evenly spread."""
        every = dict.fromkeys(text_of(row) for row in self.data.train)
        rows = [_drawing(Path(__file__), text, 1.0) for text in every if text]
        usable = [row.prompt for row in with_drawings(self.data, rows, []).drawings.rows]
        return list(spread(usable, 2 * self.prompts))

    @property
    def judged(self) -> list[str]:
        return self.texts[::2]

    @property
    def others(self) -> list[str]:
        return self.texts[1::2]


class People:
    """Simulated people: what they see, and what they say of it."""

    def __init__(self, wanted: Wanted) -> None:
        judge = image_judge.choose(wanted.cache)
        if judge is None:
            raise TrainingError("The frozen image encoder is missing.")
        self.judge, self.encoder = judge, load_text_encoder(default_spec())
        rows = [row for row in (*wanted.data.train, *wanted.data.test) if text_of(row)]
        seen = torch.cat([judge.embed_rows(part) for part in _split(rows, wanted.data)])
        texts = [f"{text_of(row)} {' '.join(row.tags)}" for row in rows]
        self.mean = seen.mean(0)
        x, y = self._centred(seen).double(), self.encoder.encode(texts).double()
        self.target = y.mean(0)
        gram = x.T @ x + RIDGE * torch.eye(x.shape[1], dtype=torch.double)
        self.map = torch.linalg.solve(gram, x.T @ (y - self.target)).float()

    def see(self, pictures: Pixels, prompts: Sequence[str], own: Tensor) -> np.ndarray[Any, Any]:
        """Return whether each picture (n,) shows its own prompt best of all."""
        seen = normalize(self._centred(self.judge.embed_pictures(pictures)) @ self.map, dim=1)
        texts = normalize(self.encoder.encode(list(prompts)) - self.target.float(), dim=1)
        return metrics.r_precision(seen, texts, own, others=len(prompts)) > 0.5

    def _centred(self, seen: Tensor) -> Tensor:
        return normalize(seen - self.mean, dim=1)


def say(shows: np.ndarray[Any, Any], random: np.random.Generator) -> tuple[list[float], int]:
    """Return P(a drawing shows its prompt) by people's answers, and how many they gave."""
    posteriors, answers = [], 0
    step = np.log(RIGHT / (1 - RIGHT))
    for truth in shows:
        log_odds = 0.0
        for _ in range(ANSWERS_MAX):
            right = random.random() < RIGHT
            log_odds += step if bool(truth) == right else -step
            answers += 1
            if abs(log_odds) >= np.log(SETTLED / (1 - SETTLED)):
                break
        posteriors.append(float(1 / (1 + np.exp(-log_odds))))
    return posteriors, answers


def _drawing(path: Path, prompt: str, shows_prompt: float) -> Row:
    content = sha256(path.read_bytes()).hexdigest()
    known = {"generated": True, "prompt": prompt, "shows_prompt": shows_prompt}
    return Row(path, (), (), {}, content, **known)  # type: ignore[arg-type]


def _split(rows: Sequence[Row], data: Snapshot) -> list[list[Row]]:
    train = set(map(id, data.train))
    return [[r for r in rows if (id(r) in train) == side] for side in (True, False)]


def play(arm: str, wanted: Wanted, people: People) -> None:
    """Play an arm's rounds; write what came of each."""
    folder = wanted.out / arm
    judge = judges.choose(wanted.data, JUDGE_STEPS, wanted.cache)
    sets = _prompt_sets(wanted)
    model, rows, answers, results = wanted.model, [], 0, []
    for number in range(wanted.rounds + 1):
        if number:
            started = time.process_time()
            model, learnt = _next(arm, model, rows, folder / str(number), wanted, number)
            learnt["seconds"] = time.process_time() - started
        else:
            learnt = {}
        generator = load_generator(model)
        figures = {s.name: _measure(s, generator, judge, people, wanted) for s in sets}
        results.append({"figures": figures, "answers": answers, **learnt})
        (wanted.out / f"{arm}.json").write_text(json.dumps(results))
        print(
            arm,
            number,
            learnt,
            {k: {n: round(float(np.mean(v)), 3) for n, v in f.items()} for k, f in figures.items()},
            flush=True,
        )
        if number < wanted.rounds:
            new, given = _draw(generator, folder / f"drawn-{number}", wanted, people, number)
            rows, answers = rows + new, answers + given


def _draw(
    generator: ImageGenerator, folder: Path, wanted: Wanted, people: People, number: int
) -> tuple[list[Row], int]:
    """Draw every judged prompt and have people judge the drawings."""
    seeds = tuple(10_000 * (number + 1) + i for i in range(wanted.seeds))
    prompts = fixed(wanted.judged, seeds)
    pictures = prompts.sample(generator)
    shows = people.see(pictures, wanted.judged, prompts.prompt_index)
    posteriors, answers = say(shows, np.random.default_rng(number))
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, (picture, posterior) in enumerate(zip(pictures, posteriors, strict=True)):
        path = folder / f"{number}-{index:05}.png"
        path.write_bytes(png(picture))
        prompt = wanted.judged[int(prompts.prompt_index[index])]
        rows.append(_drawing(path, prompt, posterior))
    print(f"people say that {np.mean(shows):.2f} show their prompt", flush=True)
    return rows, answers


def _next(
    arm: str, model: Path, rows: list[Row], folder: Path, wanted: Wanted, number: int
) -> tuple[Path, dict[str, Any]]:
    """Train the next model from this one; return its folder and what it learnt from."""
    snapshot = with_drawings(wanted.data, [] if arm == "ignored" else rows, [])
    prefers = arm == "used" and preferences_of(snapshot.drawings.rows).enough
    steps = wanted.steps if prefers else round(wanted.steps * LONGER)
    options = own_options(model, "diffusion", RECIPES["diffusion"].config)
    config = configure("diffusion", PREFERENCES, {**options, "steps": steps})
    source = Source(snapshot, wanted.cache, number, start=model)
    training = DiffusionTraining(config, source)  # type: ignore[arg-type]
    if arm == "rated":
        training.preferences = None
    loop = Loop(training, config, number)
    while not loop.finished:
        loop.advance()
    about = {"format": 1, "recipe": "diffusion", "preset": PREFERENCES, "seed": number}
    folder.mkdir(parents=True, exist_ok=True)
    training.save(loop.ema.network, folder, about)
    pairs = preferences_of(snapshot.drawings.rows).count
    used = {"pairs": pairs, "preferences": training.preferences is not None}
    return folder, {
        "drawings": len(snapshot.drawings.rows),
        **used,
        "left": dict(snapshot.drawings.left_out),
    }


def _prompt_sets(wanted: Wanted) -> list[PromptSet]:
    data = wanted.data
    prompts = fixed_prompts(data)
    return [
        replace(fixed(wanted.judged, range(3)), name="judged"),
        replace(fixed(wanted.others, range(1)), name="others"),
        replace(of_held_out(data, 0, 6), name="held out", seeds=tuple(range(2))),
        replace(of_unseen_pairs(data, prompts, range(6)), name="unseen pairs"),
    ]


def _measure(
    prompts: PromptSet,
    generator: ImageGenerator,
    judge: judges.Judge,
    people: People,
    wanted: Wanted,
) -> dict[str, list[float]]:
    """Return R-precision by the judge, people's share of yes, and near copies, by prompt."""
    pictures = prompts.sample(generator)
    images = judge.embed_pictures(pictures)
    neighbours = Neighbours.load(wanted.model)
    copies = near_copies.near_copies(
        near_copies.nearest_distances(pictures, neighbours), neighbours.spacing()
    )
    shows = people.see(pictures, prompts.texts, prompts.text_index).astype(np.float64)
    figures = {
        "r_precision": prompts.r_precision(images, judge),
        "people": intervals.mean_by_prompt(shows, prompts.prompt_index),
        "near_copies": intervals.mean_by_prompt(copies, prompts.prompt_index),
    }
    if prompts.rows:
        real = judge.embed_rows(prompts.rows)
        figures["kid"] = np.array(metrics.kid(real, images))
    return {name: [float(value) for value in values] for name, values in figures.items()}


def show(wanted: Wanted) -> None:
    """Print a table of every arm that has been played, and of the differences."""
    played = {
        arm: json.loads((wanted.out / f"{arm}.json").read_text())
        for arm in ARMS
        if (wanted.out / f"{arm}.json").is_file()
    }
    for figure in ("r_precision", "people", "near_copies"):
        print(f"\n{figure}\n\n| prompts | round | {' | '.join(played)} | used − ignored |")
        print("|---|---:|" + "---|" * (len(played) + 1))
        for name in ("judged", "others", "held out", "unseen pairs"):
            for number in range(wanted.rounds + 1):
                print(f"| {name} | {number} | {_cells(played, number, name, figure)} |")
    for arm, rounds in played.items():
        kids = [each["figures"]["held out"]["kid"] for each in rounds]
        words = ", ".join(f"{kid:.3f} ({low:.3f} to {high:.3f})" for kid, low, high in kids)
        learnt = [(each.get("drawings"), each.get("pairs")) for each in rounds[1:]]
        print(f"\n{arm}: KID of held-out captions {words}; drawings and pairs {learnt}")


def _cells(played: dict[str, Any], number: int, name: str, figure: str) -> str:
    """Return what each arm reached in a round, and the gain of verdicts that are used."""
    values = {
        arm: np.array(rounds[number]["figures"][name][figure])
        for arm, rounds in played.items()
        if number < len(rounds)
    }
    cells = [_cell(values.get(arm)) for arm in played]
    both = {"used", "ignored"} <= set(values)
    gain = _cell(values["used"] - values["ignored"], sign=True) if both else ""
    return " | ".join([*cells, gain])


def _cell(values: np.ndarray[Any, Any] | None, sign: bool = False) -> str:
    if values is None:
        return ""
    value, low, high = intervals.mean(values)
    form = "+.3f" if sign else ".3f"
    return f"{value:{form}} ({low:{form}} to {high:{form}})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("model", type=Path, help="a model of the recipe diffusion, to begin with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--arm", choices=ARMS, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=4, help="drawings of a prompt in each round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="only print what was played")
    given = vars(parser.parse_args())
    torch.set_num_threads(given.pop("threads"))
    arms, table = given.pop("arm") or list(ARMS), given.pop("table")
    given["cache"] = given["cache"] or given["out"] / "cache"
    wanted = Wanted(**given)
    wanted.out.mkdir(parents=True, exist_ok=True)
    if not table:
        people = People(wanted)
        for arm in arms:
            play(arm, wanted, people)
    show(wanted)


if __name__ == "__main__":
    main()

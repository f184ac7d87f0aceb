"""Which of several captions is best, and how far a vendor's captions are to be believed.

    python -m config.demo_project.fetch
    python -m tests.benchmarks.captions [--encoder] [--every N]

No ratings of captions by people are at hand: texts are real, what is wrong with them and who judges
them is simulated. Each of the demo's emoji has the names that Unicode and four chat systems give
it; the names of another emoji are wrong, of the same kind of thing or of any. People who are right
85 times in 100 judge some of them. What is measured is the truth, which no method sees.

The first table: the area under the curve of all scores, true captions against wrong ones, and how
often the best of a picture is true. `--encoder` adds rows with the sentence encoder's embeddings in
the place of n-grams, `--every 5` takes a fifth of the emoji. The second: how probable captions are
that nobody judged, after so many judgements of each vendor's, by the product's trust and by others.
"""

import json
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from scipy.stats import rankdata

from config.demo_project.emoji import MODULES
from config.demo_project.other_names import SYSTEMS
from labeling.aggregation import source_trust
from labeling.aggregation.caption_agreement import CaptionSpace, Encode, Written
from labeling.aggregation.model_weight import fit_model_weight
from labeling.caption_order import GAIN

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]

RIGHT = 0.85  # of people's judgements
EXPECTED = 0.9  # of captions, as imports are believed
WRONG = 2  # captions of a picture
SAMPLE = 3_000  # captions by which it is learned what is usual
EVERYWHERE = "a very nice picture of something"
FLOOD = 5  # copies
VENDORS, BATCHES, HELD_OUT = 40, 3, 200
SEEDS = 20


@dataclass(frozen=True)
class Captions:
    """N captions of pictures, with what is known of them by who made them up."""

    texts: list[str]
    picture: Index
    writer: Index
    true: Bools
    foreign: Bools  # in another language than most

    def written(self, probability: Floats) -> Written:
        nobody = np.full(len(self.texts), -1)
        return Written(self.texts, self.picture, self.writer, nobody, probability)


class Emoji:
    """The names of emoji by several systems, and in other languages."""

    def __init__(self, every: int) -> None:
        folder = MODULES / "emojibase-data"
        rows = [row for row in _read(folder / "en" / "data.json") if "subgroup" in row]
        systems = [_read(folder / "en" / "shortcodes" / f"{name}.json") for name in SYSTEMS]
        german = {row["hexcode"]: row["label"] for row in _read(folder / "de" / "data.json")}
        self.names: list[list[str]] = []
        self.german: list[str] = []
        self.kinds: dict[int, list[int]] = defaultdict(list)
        several = 0
        for row in rows:
            names = dict.fromkeys([row["label"].lower()])
            for system in systems:
                codes = system.get(row["hexcode"], [])
                for code in [codes] if isinstance(codes, str) else codes:
                    names[code.replace("_", " ").replace("-", " ").lower()] = None
            several += len(names) > 1
            if len(names) > 1 and several % every == 0:
                self.kinds[row["subgroup"]].append(len(self.names))
                self.names.append(list(names)[:4])
                self.german.append(german.get(row["hexcode"], ""))

    def wrong(self, emoji: int, kind: int, dice: np.random.Generator) -> str:
        """Return a name of another emoji, in half of all cases of the same kind."""
        alike = self.kinds[kind]
        while True:
            near = dice.random() < 0.5 and len(alike) > 1
            other = int(dice.choice(alike) if near else dice.integers(len(self.names)))
            text = str(dice.choice(self.names[other]))
            if other != emoji and text not in self.names[emoji]:
                return text


def _read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def made(emoji: Emoji, attack: str, seed: int) -> Captions:
    """Make captions: some true ones and some wrong ones a picture, and what an attack adds."""
    dice = np.random.default_rng(seed)
    rows: list[tuple[str, int, int, bool, bool]] = []
    for kind, members in emoji.kinds.items():
        for picture in members:
            texts = dict.fromkeys(emoji.names[picture], (True, False))
            for _ in range(WRONG):
                texts.setdefault(emoji.wrong(picture, kind, dice), (False, False))
            if attack == "one sentence" and dice.random() < 0.9:
                texts[EVERYWHERE] = False, False
            if attack == "another language" and emoji.german[picture]:
                texts[emoji.german[picture]] = True, True
            flood = emoji.wrong(picture, kind, dice) if attack.startswith("copies") else ""
            writers = list(range(1, len(texts) + 1))
            for number in range(FLOOD if flood else 0):
                texts.setdefault(f"{flood}{'!' * number}", (False, False))
            writers += [99] * (len(texts) - len(writers))
            if attack == "copies of many":
                writers = list(range(1, len(texts) + 1))
            rows += [
                (text, picture, writer, *truth)
                for (text, truth), writer in zip(texts.items(), writers, strict=True)
            ]
    rows = [rows[place] for place in dice.permutation(len(rows))]
    texts, picture, writer, true, foreign = zip(*rows, strict=True)
    return Captions(
        list(texts), np.array(picture), np.array(writer), np.array(true), np.array(foreign)
    )


def judgements(captions: Captions, share: float, seed: int) -> Floats:
    """Return (N,) what one person said of a share of the captions, in log-odds."""
    dice = np.random.default_rng(seed)
    said = captions.true == (dice.random(len(captions.true)) < RIGHT)
    asked = dice.random(len(captions.true)) < share
    return asked * np.where(said, 1, -1) * float(logit(RIGHT))


def medoid(space: CaptionSpace, captions: Captions) -> Floats:
    """Return (N,) the mean likeness to the others of each picture, and nothing else."""
    rows = space._encode(captions.texts)
    scores = np.zeros(len(captions.texts))
    for picture in np.unique(captions.picture):
        (place,) = np.nonzero(captions.picture == picture)
        alike = rows[place] @ rows[place].T
        alike = alike.toarray() if hasattr(alike, "toarray") else alike
        scores[place] = (alike.sum(1) - 1) / max(len(place) - 1, 1)
    return scores


def ours(space: CaptionSpace, captions: Captions, said: Floats) -> Floats:
    """Return (N,) the product's score, with the weight that it fits to the judgements."""
    prior = float(logit(EXPECTED))
    probability = expit(prior + said)
    gain = GAIN * space.agreement(captions.written(probability))
    told = np.flatnonzero((gain != 0) & (said != 0))
    weight = fit_model_weight(gain[told], np.full(len(told), prior), said[told])
    return logit(probability.clip(0.01, 0.99)) + weight * gain


def best(emoji: Emoji, attack: str, share: float, encode: Encode | None) -> dict[str, list[float]]:
    """Return by method AUC, the share of pictures whose best is true, and of foreign ones below."""
    captions = made(emoji, attack, 0)
    said = judgements(captions, share, 1)
    sample = np.flatnonzero(captions.picture < np.quantile(captions.picture, 0.5))[:SAMPLE]
    texts, pictures = [captions.texts[n] for n in sample], captions.picture[sample].tolist()
    grams = CaptionSpace(texts, pictures)
    dice = np.random.default_rng(2)
    scores = {
        "by lot": np.zeros(len(said)),
        "longest": np.array([len(text) for text in captions.texts], np.float64),
        "judgements alone": said,
        "medoid": medoid(grams, captions),
        "ours": ours(grams, captions, said),
    }
    if encode is not None:
        space = CaptionSpace(texts, pictures, encode)
        scores["medoid, encoder"] = medoid(space, captions)
        scores["ours, encoder"] = ours(space, captions, said)
    lots = dice.random(len(said)) * 1e-6
    return {name: measured(captions, each + lots) for name, each in scores.items()}


def measured(captions: Captions, score: Floats) -> list[float]:
    known = ~captions.foreign
    own, true = score[known], captions.true[known]
    order = np.lexsort((-score, captions.picture))
    _, first = np.unique(captions.picture[order], return_index=True)
    top = float(captions.true[order[first]].mean())
    below = np.nan
    if captions.foreign.any():
        wrong = np.full(captions.picture.max() + 1, -np.inf)
        np.maximum.at(wrong, captions.picture[~captions.true], score[~captions.true])
        foreign = np.flatnonzero(captions.foreign)
        below = float((score[foreign] < wrong[captions.picture[foreign]]).mean())
    return [curve(own, true), top, below]


def curve(score: Floats, true: Bools) -> float:
    """Return the area under the curve."""
    ranks, positive = rankdata(score), int(true.sum())
    return float((ranks[true].sum() - positive * (positive + 1) / 2) / (positive * (~true).sum()))


def trusted(judged: int, seed: int) -> dict[str, tuple[Floats, Bools]]:
    """Return by method the probabilities of captions that nobody judged, and their truth.

    Vendors' shares of true captions are drawn, those of a vendor's batches near them.
    """
    dice = np.random.default_rng(seed)
    vendor = np.where(
        dice.random(VENDORS) < 0.3, dice.beta(2, 4, VENDORS), dice.beta(18, 1, VENDORS)
    )
    share = dice.beta(*(20 * np.stack([vendor, 1 - vendor]).repeat(BATCHES, 1).clip(0.01)))
    group = np.repeat(np.arange(VENDORS), BATCHES)
    source = np.repeat(np.arange(len(share)), judged)
    true = dice.random(len(source)) < share[source]
    said = true == (dice.random(len(source)) < RIGHT)
    evidence = np.where(said, 1, -1) * float(logit(RIGHT))
    trust = source_trust.infer(source, evidence, group=group, expected=EXPECTED)
    held_out = dice.random((len(share), HELD_OUT)) < share[:, None]
    counts = np.bincount(source, said, len(share)), np.bincount(source, minlength=len(share))
    pooled = (counts[0].sum() + EXPECTED) / (counts[1].sum() + 1)
    alone = (counts[0] + 4 * EXPECTED) / (counts[1] + 4)
    estimates = {
        "the constant": np.full(len(share), EXPECTED),
        "the mean of all": np.full(len(share), pooled),
        "share of yes, + 4": alone,
        "ours": trust.source,
        "the truth": share,
    }
    return {
        name: (each.repeat(HELD_OUT).clip(0.005, 0.995), held_out.reshape(-1))
        for name, each in estimates.items()
    }


def loss(probability: Floats, true: Bools) -> float:
    return float(-np.log(np.where(true, probability, 1 - probability)).mean())


def calibration_error(probability: Floats, true: Bools) -> float:
    bins = np.minimum((probability * 15).astype(int), 14)
    gaps = np.bincount(bins, probability - true, 15)
    return float(np.abs(gaps).sum() / len(true))


def main() -> None:
    """Print both tables."""
    parser = ArgumentParser()
    parser.add_argument("--encoder", action="store_true")
    parser.add_argument("--every", type=int, default=1, help="one in so many emoji")
    arguments = parser.parse_args()
    emoji = Emoji(arguments.every)
    encode = _encoder() if arguments.encoder else None
    print("| captions | judged | method | AUC | best is true | foreign below a wrong one |")
    print("|---|---:|---|---:|---:|---:|")
    cases = [("as they are", 0.0), ("as they are", 0.3), ("as they are", 1.0)]
    cases += [(attack, 0.0) for attack in ("one sentence", "copies of one", "copies of many")]
    for attack, share in [*cases, ("another language", 0.0)]:
        for name, (area, top, below) in best(emoji, attack, share, encode).items():
            foreign = "" if np.isnan(below) else f"{below:.3f}"
            print(f"| {attack} | {share:.0%} | {name} | {area:.3f} | {top:.3f} | {foreign} |")
    print("\n| judged of each batch | method | NLL | ECE | AUC |\n|---:|---|---:|---:|---:|")
    for judged in (0, 1, 3, 12, 50):
        rows: Mapping[str, list[list[float]]] = defaultdict(list)
        for seed in range(SEEDS):
            for name, found in trusted(judged, seed).items():
                rows[name].append([loss(*found), calibration_error(*found), curve(*found)])
        for name, found in rows.items():
            nll, error, area = np.mean(found, 0)
            print(f"| {judged} | {name} | {nll:.3f} | {error:.3f} | {area:.3f} |")


def _encoder() -> Encode:
    from training.engine.encoders.text import sentence_encoder

    encoder = sentence_encoder()
    seen: dict[str, Floats] = {}

    def encode(texts: Sequence[str]) -> Floats:
        new = [text for text in dict.fromkeys(texts) if text not in seen]
        seen.update(zip(new, encoder.encode(new).double().numpy(), strict=True))
        return np.stack([seen[text] for text in texts])

    return encode


if __name__ == "__main__":
    main()

"""Whether a new model is good enough to take the place of the current one.

    python -m training compare NEW CURRENT SNAPSHOT --out FILE [--answers FILE] [--cache DIR]
                               [--standing FILE] [--clip-model NAME --clip-pretrained WEIGHTS]

NEW and CURRENT are model folders, both of generators, of ``clip`` models or of pairs; CURRENT is
``-`` where there is none. Generators sample the same prompts with the same seeds, and one judge,
which conditioned neither, looks at both. FILE gets, whole or not at all:

    {"promoted": bool, "why": one sentence,
     "judges": [{"name", "new", "current", "difference", "low", "high", "margin", "n", "says",
                 "rival"}, …],
     "prompts": [str, …], "seeds": [int, …]}

Numbers are floats or null; ``n`` says of how many prompts, pictures or answers. ``why`` is plain
English (``training.engine.metric_names``). ``difference`` has the sign that makes up better;
``low`` and ``high`` are its 5th and 95th percentile. ``says`` is "better" (low > 0), "worse"
(high < 0), "no worse" (low ≥ −margin) or "cannot tell". The new model is promoted where every judge
says "better" or "no worse". The judge ``people`` has a veto alone: it blocks where it says "worse",
because a few answers cannot show that a model is no worse.

Without a current model a new one must generate different pictures for different seeds or prompts,
and be better than chance where that can be measured: ``current`` is then what chance would reach.

``--standing`` is what the frozen encoder predicts while there is no ``clip`` model: JSON {file:
{concept: p}} of held-out pictures and concepts that somebody has spoken of. A first ``clip`` model
must foresee these no worse; ``rival`` is then "encoder", and else empty.

``--answers`` is JSON {"new": [p, …], "current": [p, …]}: for pictures that people were asked
about, the probability that they show what was asked; used where both have 20 or more.
Exit status 0 whatever the verdict; 1 with a sentence on stderr where there can be none.
"""

from pathlib import Path
from typing import Any

import numpy as np

from training.engine.data.rows import Snapshot
from training.engine.encoders.text import Spec
from training.engine.evaluation import compare_clips, intervals, judges, translators
from training.engine.evaluation.compare_clips import Standing
from training.engine.evaluation.compare_generators import GeneratorComparison
from training.engine.evaluation.model_config import evaluation_settings, read_model_config
from training.engine.evaluation.verdict import Judgement, verdict
from training.engine.files import TrainingError, read_json
from training.engine.metric_names import PEOPLE
from training.engine.recipes import data_of

MARGIN = 0.05  # of shares of answers
_KINDS = {"clip": "clip model", "pairs": "model of pairs"}  # of recipes that are no generators
UNPROVEN = (
    "No held-out picture that people have answered about shows whether it predicts as well as the"
    " image encoder."
)
FEWEST_ANSWERS = 20  # about pictures of either model


def compare(
    new: Path,
    current: Path | None,
    snapshot: Snapshot,
    *,
    cache: Path,
    answers: Path | None = None,
    standing: Path | None = None,
    judge: Spec | None = None,
) -> dict[str, Any]:
    """Return the verdict, ready for JSON; raise ``TrainingError`` where there can be none.

    ``judge`` names an open_clip model; it judges where it conditioned neither.
    """
    configs = [read_model_config(folder) for folder in (new, current) if folder]
    kinds = {_KINDS.get(config["recipe"], "generator") for config in configs}
    if len(kinds) > 1:
        both = " and a ".join(sorted(kinds))
        raise TrainingError(f"{new} and {current} cannot be compared: they are a {both}.")
    snapshot = data_of(configs[0]["recipe"], snapshot)
    from_people = _people(answers) if answers and current else []
    kind = kinds.pop()
    if kind == _KINDS["pairs"]:
        judgements = translators.judge(new, current, snapshot, cache)
        return verdict([*judgements, *from_people], has_current=current is not None)
    if kind == _KINDS["clip"]:
        if standing and not current:
            return _compare_first_clip(new, Standing.read(standing), snapshot, cache)
        judgements = compare_clips.judge(new, current, snapshot, cache)
        return verdict([*judgements, *from_people], has_current=current is not None)
    settings = evaluation_settings(new, configs[0])
    conditioners = [config.get("clip") or {} for config in configs]
    chosen = judges.choose(
        snapshot, settings.judge_steps, cache, spec=judge, conditioners=conditioners
    )
    comparison = GeneratorComparison(settings, snapshot, chosen)
    return _compare_generators(comparison, new, current, from_people)


def _compare_first_clip(
    new: Path, standing: Standing, snapshot: Snapshot, cache: Path
) -> dict[str, Any]:
    """Return the verdict on a model that would take the place of the frozen encoder."""
    judgements = compare_clips.judge(new, None, snapshot, cache, standing)
    decision = verdict(judgements, has_current=False)
    if not any(judgement.rival for judgement in judgements):
        decision |= {"promoted": False, "why": UNPROVEN}
    return decision


def _compare_generators(
    comparison: GeneratorComparison,
    new: Path,
    current: Path | None,
    from_people: list[Judgement],
) -> dict[str, Any]:
    prompts_and_seeds: dict[str, Any] = {"prompts": comparison.prompts, "seeds": comparison.seeds}
    pictures = comparison.sample(new)
    if current:
        judgements = comparison.against_current(pictures, new, current)
        return verdict([*judgements, *from_people], has_current=True, **prompts_and_seeds)
    if all(np.array_equal(part[0], picture) for part in pictures for picture in part):
        why = "It draws one and the same picture whatever it is asked for."
        return {"promoted": False, "why": why, "judges": [], **prompts_and_seeds}
    return verdict(comparison.against_chance(pictures), has_current=False, **prompts_and_seeds)


def _people(path: Path) -> list[Judgement]:
    """Return what people answered about both models' pictures; nothing of fewer than 20."""
    answers = read_json(path)
    try:
        new, current = (np.array([float(p) for p in answers[key]]) for key in ("new", "current"))
        if not all(((part >= 0) & (part <= 1)).all() for part in (new, current)):
            raise ValueError(path)
    except (KeyError, TypeError, ValueError):
        raise TrainingError(
            f"{path} must hold two lists of probabilities, new and current."
        ) from None
    if min(len(new), len(current)) < FEWEST_ANSWERS:
        return []
    difference = intervals.difference(new, current)
    values = float(new.mean()), float(current.mean())
    return [Judgement(PEOPLE, *values, difference, MARGIN, len(new) + len(current))]

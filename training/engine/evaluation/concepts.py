"""Whether generated pictures show the concepts that they were asked for."""

import torch
from torch import Tensor

from training.engine.data.pictures import Pixels
from training.engine.data.rows import Snapshot
from training.engine.evaluation import intervals, metrics
from training.engine.evaluation.calibration import informed
from training.engine.evaluation.judges import Judge
from training.engine.evaluation.prompt_sets import PromptSet


def measure(
    prompt_set: PromptSet, pictures: Pixels, judge: Judge, snapshot: Snapshot
) -> dict[str, float]:
    """Return how often a classifier, fitted to training pictures, sees the concept asked for.

    Beside it stand how often it sees a concept in held-out pictures that show it, and (as chance)
    in those that do not.
    """
    if not prompt_set.prompts:
        return {}
    train = informed(snapshot.train, prompt_set.prompts)
    weights = metrics.fit_classifier(judge.embed_rows(snapshot.train), train)
    test = informed(snapshot.test, prompt_set.prompts)
    seen_in_real = metrics.classify(judge.embed_rows(snapshot.test), weights).double()
    seen = metrics.classify(judge.embed_pictures(pictures), weights)
    hits = seen[torch.arange(len(seen)), prompt_set.prompt_index].double().numpy()
    return intervals.entries(
        f"attributes@{judge.name}",
        intervals.mean(intervals.mean_by_prompt(hits, prompt_set.prompt_index)),
        real=_mean_by_concept(seen_in_real, test > 0.5),
        chance=_mean_by_concept(seen_in_real, test < 0.5),
    )


def _mean_by_concept(seen: Tensor, where: Tensor) -> float:
    return float(((seen * where).sum(0) / where.sum(0)).mean())

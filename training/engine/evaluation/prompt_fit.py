"""How well generated pictures suit what they were asked for."""

from torch import Tensor

from training.engine.data.rows import Snapshot
from training.engine.evaluation import distances, intervals, metrics, prompt_sets
from training.engine.evaluation.intervals import Values, entries
from training.engine.evaluation.judges import Judge
from training.engine.evaluation.prompt_sets import PromptSet


def measure_fixed(
    prompt_set: PromptSet, images: Tensor, judge: Judge, snapshot: Snapshot
) -> dict[str, float]:
    """Return the R-precision of the fixed prompts, beside that of training pictures that show them.

    ``images`` are features (prompts · seeds, E); nothing is returned where there is one prompt.
    """
    if not prompt_set.has_several_texts:
        return {}
    beside = {}
    rows, own = prompt_sets.matching_rows(snapshot, prompt_set.texts)
    if rows:
        real = metrics.r_precision(judge.embed_rows(rows), judge.embed_texts(prompt_set.texts), own)
        beside["real_training"] = float(real.mean())
    return r_precision(prompt_set, images, judge, **beside)


def measure_held_out(
    prompt_set: PromptSet, images: Tensor, judge: Judge, snapshot: Snapshot
) -> dict[str, float]:
    """Return R-precision, cosine, CLIP score and distances of pictures of held-out captions.

    ``images`` are features (prompts, E), a picture for each of the held-out rows.
    """
    if not prompt_set.rows:
        return {}
    real = judge.embed_rows(prompt_set.rows)
    figures: dict[str, float] = {}
    if prompt_set.has_several_texts:
        of_real = float(prompt_set.r_precision(real, judge).mean())
        figures |= r_precision(prompt_set, images, judge, real=of_real)
        generated, shuffled, known = (
            prompt_set.cosines(images, judge),
            prompt_set.cosines(images, judge, shift=1),
            prompt_set.cosines(real, judge),
        )
        figures |= _against("cosine", judge, generated, shuffled, known)
        scores = (metrics.clip_scores(cosines) for cosines in (generated, shuffled, known))
        figures |= _against("clip_score", judge, *scores)
    if len(prompt_set.rows) >= distances.FEWEST:
        training = judge.embed_rows(prompt_sets.spread(snapshot.train, len(prompt_set.rows)))
        figures |= distances.measure(images, real, training, judge.name)
    return figures


def r_precision(
    prompt_set: PromptSet, images: Tensor, judge: Judge, **beside: float
) -> dict[str, float]:
    """Return the R-precision of a prompt set's pictures, and what chance reaches."""
    figure = intervals.mean(prompt_set.r_precision(images, judge))
    name = f"r_precision{prompt_set.name}@{judge.name}"
    return entries(name, figure, chance=metrics.chance(len(prompt_set.texts)), **beside)


def _against(
    name: str, judge: Judge, generated: Values, shuffled: Values, real: Values
) -> dict[str, float]:
    """Return a mean beside that of pictures with another's text, and of real pictures."""
    return entries(
        f"{name}@{judge.name}",
        intervals.mean(generated),
        chance=float(shuffled.mean()),
        real=float(real.mean()),
    )

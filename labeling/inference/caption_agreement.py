"""Learn what agreement among a picture's captions is worth, by people's judgements of them."""

import numpy as np

from labeling import caption_order
from labeling.aggregation.model_weight import fit_model_weight
from labeling.aggregation.online import EDGE, log_odds
from labeling.models import Question, Recomputation

MOST = 1_000  # judged captions of each state, by which it is fitted
CERTAIN = 5.0  # log-odds of a known truth


def fit(recomputation: Recomputation) -> None:
    """Fit the weight of agreement to judged captions of pictures that have several.

    How near a judged caption is to the picture's others is compared with what people said beyond
    its prior (`fit_model_weight`): agreement that tells nothing of them gets a weight of about 0.
    """
    project = recomputation.project
    judged = caption_order.judged(project, MOST)
    known = {row.pk: row for row in judged.only("pk", "prior", "probability", "verdict")}
    if not known:
        return
    tiles = judged.order_by().values("tile")
    others = Question.objects.filter(tile__in=tiles, kind=Question.Kind.CAPTION)
    rows = caption_order.rows_of(others.exclude(source=Question.Source.MODEL))
    agreement = caption_order.space(project).agreement(caption_order.written(rows))
    told = [
        (caption_order.GAIN * near, known[row.pk])
        for row, near in zip(rows, agreement.tolist(), strict=True)
        if near and row.pk in known
    ]
    weight = fit_model_weight(
        gain=np.array([gain for gain, _ in told]),
        prior=np.array([log_odds(question.prior) for _, question in told]),
        evidence=np.array([_said(question) for _, question in told]),
    )
    recomputation.renew(agreement_weight=round(weight, 4))


def _said(question: Question) -> float:
    """Return the log-likelihood ratio of what people said, yes to no."""
    if question.verdict is not None:
        return CERTAIN if question.verdict else -CERTAIN
    said = log_odds(question.probability) - log_odds(min(max(question.prior, EDGE), 1 - EDGE))
    return min(max(said, -CERTAIN), CERTAIN)

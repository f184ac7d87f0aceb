"""A project's captions as arrays, with what people said of them and where they come from."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logit  # type: ignore[import-untyped]

from labeling.aggregation.online import EDGE
from labeling.beliefs import MAX_SHIFT
from labeling.inference import caption_judgements
from labeling.inference.arrays import Bools, Floats, Ids, Index, columns
from labeling.models import Recomputation

_CAPTIONS = """
SELECT question.id, coalesce(question.stated, 'NaN'), prior, prior_shift,
    coalesce(model_probability, 'NaN'),
    CASE WHEN verdict IS NULL THEN -1::int2
    WHEN question.state = 'gold' OR decided_by_id IS NULL THEN {given}::int2
    ELSE verdict::int::int2 END,
    question.state = 'open' AND answers_count = 0 AND verdict IS NULL,
    question.source = 'annotator', coalesce(author_id, 0), coalesce(origin.imported_by_id, 0),
    CASE WHEN coalesce(nullif(origin.vendor, ''), record.vendor, '') = '' THEN 0
    ELSE hashtextextended(coalesce(nullif(origin.vendor, ''), record.vendor), 0) END
FROM labeling_question AS question
LEFT JOIN labeling_textsource AS origin ON origin.id = text_source_id
LEFT JOIN labeling_import AS record ON record.id = origin.imported_by_id
WHERE question.project_id = {project} AND question.kind = 'caption' AND question.source <> 'model'
"""


@dataclass(frozen=True)
class Captions:
    """N captions by their ids, as they are stored."""

    id: Ids
    stated: Floats  # NaN: no import states it any more
    prior: Floats
    prior_shift: Floats  # log-odds, by a model
    predicted: Floats  # log-odds, bounded, by a model; NaN: nothing
    evidence: Floats  # as of `Judgements`
    weight: Floats
    unanswered: Bools
    written_here: Bools
    source: Index  # below the number of sources
    sources: Ids  # (S, 3): author, import and vendor of each, 0 where there is none

    @property
    def is_stated(self) -> Bools:
        return np.isfinite(self.stated)


def read(recomputation: Recomputation) -> Captions:
    """Read the captions of a recomputation's project that no model wrote."""
    types = *("int8", *["float8"] * 4, "int2"), "bool", "bool", "int8", "int8", "int8"
    table = columns(
        _CAPTIONS.format(project=recomputation.project.pk, given=caption_judgements.GIVEN), *types
    )
    order = np.argsort(table[0])
    ids, stated, prior, shift, probability, verdict, unanswered, here, *origin = (
        column[order] for column in table
    )
    predicted = shift_of(probability, 1.0, nothing=np.nan)
    sources, source = np.unique(
        np.column_stack(origin).reshape(len(ids), 3), axis=0, return_inverse=True
    )
    source = source.reshape(-1)
    judged = caption_judgements.read(
        recomputation, ids=ids, source=source, written_here=here, verdict=verdict
    )
    beliefs_ = stated, prior, shift, predicted, judged.evidence, judged.weight
    return Captions(ids, *beliefs_, unanswered, here, source, sources)


def shift_of(probability: Floats, weight: float, nothing: float = 0.0) -> Floats:
    """Return the log-odds (n,) that a model's probabilities add; NaN: it says nothing."""
    bounded = logit(probability.clip(EDGE, 1 - EDGE)).clip(-MAX_SHIFT, MAX_SHIFT)
    shift: Floats = np.where(np.isnan(probability), nothing, weight * bounded)
    return shift

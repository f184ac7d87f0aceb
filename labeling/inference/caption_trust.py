"""Learn how far captions are to be believed by who wrote them, before anybody judged them.

Captions of one import and vendor have one source, those of one annotator another. What people said
of some tells of the others: `labeling.aggregation.source_trust`. A model's predictions take part
only beside people's answers, as what else is known of a caption that was judged: they make nobody
trusted. Gold tells nothing of its source: whoever marked it chose it by its truth. A caption that
was judged itself has the prior that all others give it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Q
from scipy.special import expit, logit  # type: ignore[import-untyped]

from labeling.aggregation import source_trust
from labeling.aggregation.model_weight import fit_model_weight
from labeling.aggregation.online import EDGE
from labeling.aggregation.source_trust import SourceTrust
from labeling.inference import caption_arrays, caption_priors
from labeling.inference.arrays import Floats, Ids, Index
from labeling.inference.caption_arrays import Captions
from labeling.models import CaptionTrust, Project, Question, Recomputation

Scope = CaptionTrust.Scope

DIGITS, WEIGHT_DIGITS = 6, 4
JUDGED = 0.7  # log-odds, twice as likely, from which on people have judged a caption

_VENDORS = """
SELECT DISTINCT hashtextextended(vendor, 0), vendor FROM (
    SELECT coalesce(nullif(origin.vendor, ''), record.vendor) AS vendor
    FROM labeling_textsource AS origin JOIN labeling_import AS record ON record.id = imported_by_id
    WHERE record.project_id = %s
) AS named WHERE vendor <> ''
"""


def update(recomputation: Recomputation) -> int:
    """Learn how far each source is to be trusted; return how many captions' priors changed.

    1. Read the captions, and who judged them.
    2. Infer what is known of each source, for imports and for annotators.
    3. Fit how far a model that predicts captions is believed.
    4. Store what is known of imports and vendors: new captions begin there.
    5. Bring each caption to the prior that follows, where that differs noticeably.
    """
    project = recomputation.project
    known = CaptionTrust.objects.filter(project=project)
    if not (_judged(project) or known.exists()):
        return 0
    captions = caption_arrays.read(recomputation)
    recomputation.renew()
    change = np.zeros(len(captions.id))  # log-odds that the source adds
    rows: list[CaptionTrust] = []
    for written_here in (False, True):
        part = np.flatnonzero((captions.written_here == written_here) & captions.is_stated)
        if len(part):
            found = _infer(captions, part, written_here=written_here)
            change[part] = found.change
            rows += _rows(found, project, written_here=written_here)
    weight = _model_weight(captions, change)
    with transaction.atomic():  # whoever lost the lease writes nothing
        known.delete()
        CaptionTrust.objects.bulk_create(rows)
        recomputation.renew(caption_model_weight=weight)
    return sum(caption_priors.write(captions, change, weight, recomputation.renew))


def _judged(project: Project) -> bool:
    captions = Question.objects.filter(project=project, kind=Question.Kind.CAPTION)
    known = Q(answers_count__gt=0) | Q(decided_by__isnull=False)
    return captions.filter(known).exclude(source=Question.Source.MODEL).exists()


@dataclass(frozen=True)
class _Found:
    """What is known of the S sources of n captions, and of their V groups."""

    change: Floats  # (n,)
    expected: float
    trust: SourceTrust
    sources: Ids  # (S, 3)
    group: Index  # (S,)
    judged: Ids  # (S,)
    right: Floats  # (S,)


def _infer(captions: Captions, part: Index, *, written_here: bool) -> _Found:
    """Infer the trust in the sources of captions that people wrote here, or of imports'.

    part: (n,) the rows of these. Annotators are one group. Imports of one vendor are one; each that
    names no vendor is its own.
    """
    places, source = np.unique(captions.source[part], return_inverse=True)
    sources = captions.sources[places]
    group = np.zeros(len(sources), np.intp) if written_here else _groups(sources)
    stated = logit(captions.stated[part].clip(EDGE, 1 - EDGE))
    expected = round(float(expit(np.median(stated))), DIGITS)
    offset = stated - logit(expected) + captions.prior_shift[part]
    evidence, weight = captions.evidence[part], captions.weight[part]
    has_evidence = np.flatnonzero(evidence * weight)
    trust = source_trust.infer(
        source[has_evidence],
        evidence[has_evidence],
        group=group,
        expected=expected,
        offset=offset[has_evidence],
        weight=weight[has_evidence],
    )
    share = trust.source[source]
    share[has_evidence] = trust.others
    judged = np.abs(evidence) >= JUDGED
    posterior = expit(logit(share) + offset + evidence)
    return _Found(
        change=logit(share) - logit(expected),
        expected=expected,
        trust=trust,
        sources=sources,
        group=group,
        judged=np.bincount(source, judged, len(sources)).astype(np.int64),
        right=np.bincount(source, judged * posterior, len(sources)).astype(np.float64),
    )


def _groups(sources: Ids) -> Index:
    """Return (S,) the groups of imports' sources: their vendors, or else themselves."""
    named = sources[:, 2] != 0
    keys = np.column_stack([named, np.where(named, sources[:, 2], sources[:, 1])])
    _, group = np.unique(keys, axis=0, return_inverse=True)
    return group.reshape(-1)


def _rows(found: _Found, project: Project, *, written_here: bool) -> list[CaptionTrust]:
    """Return what is to be stored of the judged: of annotators what is known of all alone."""
    kind = Question.Source.ANNOTATOR if written_here else Question.Source.IMPORT

    def row(scope: str, judged: int, right: float, trust: float, **which: Any) -> CaptionTrust:
        return CaptionTrust(
            project=project,
            source=kind,
            scope=scope,
            judged=judged,
            right=right,
            expected=found.expected,
            trust=trust,
            **which,
        )

    everything = found.trust.group[0] if written_here else found.trust.anything
    total = int(found.judged.sum())
    rows = [row(Scope.ALL, total, float(found.right.sum()), float(everything))] if total else []
    if written_here:
        return rows
    names = _vendors(project)
    groups = len(found.trust.group)
    vendor_of = np.zeros(groups, np.int64)
    vendor_of[found.group] = found.sources[:, 2]
    judged = np.bincount(found.group, found.judged, groups).astype(np.int64)
    right = np.bincount(found.group, found.right, groups)
    columns = judged.tolist(), right.tolist(), found.trust.group.tolist(), vendor_of.tolist()
    rows += [
        row(Scope.VENDOR, *known, vendor=names[vendor])
        for *known, vendor in zip(*columns, strict=True)
        if known[0] and vendor in names
    ]
    of_each = found.judged.tolist(), found.right.tolist(), found.trust.source.tolist()
    rows += [
        row(Scope.IMPORT, *known, vendor=names.get(vendor, ""), imported_by_id=record or None)
        for *known, (_, record, vendor) in zip(*of_each, found.sources.tolist(), strict=True)
        if known[0]
    ]
    return rows


def _vendors(project: Project) -> Mapping[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(_VENDORS, [project.pk])
        return dict(cursor.fetchall())


def _model_weight(captions: Captions, change: Floats) -> float:
    """Return how far a model's predictions of captions bear out what people said of them."""
    evidence = captions.evidence * captions.weight
    told = (evidence != 0) & np.isfinite(captions.predicted) & captions.is_stated
    base = logit(caption_priors.prior_of(captions.stated, change, np.zeros(len(change))))
    weight = fit_model_weight(captions.predicted[told], base[told], evidence[told])
    return round(weight, WEIGHT_DIGITS)

"""What a snapshot's labels were made from: answers and captions up to when, settings, aggregation.

It is part of the manifest and of the snapshot's hash. Nothing in it says when the snapshot was
frozen: the cut-off is the time of the newest answer that it holds.
"""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, Max, QuerySet

from labeling import aggregation
from labeling.models import Answer, Concept, Question, Snapshot
from labeling.snapshot_rows import DIGITS

SETTINGS = (  # of the project
    "language",
    "settle_at",
    "answers_min",
    "answers_cap",
    "answer_cost",
    "random_share",
    "import_confidence",
    "ask_parts",
)


def made_from(snapshot: Snapshot, concepts: Sequence[Concept]) -> dict[str, Any]:
    """Return what the labels of this moment are made from, for the manifest of a snapshot.

    concepts: those of its rows.
    """
    project = snapshot.project
    answers = Answer.objects.filter(question__project=project)
    captions = Question.objects.filter(
        project=project, kind=Question.Kind.CAPTION, source=Question.Source.ANNOTATOR
    )
    if not snapshot.include_generated:
        answers = answers.exclude(question__source=Question.Source.MODEL)
        captions = captions.exclude(tile__image__generated=True)
    return {
        "answers": _up_to(answers),
        "captions": _up_to(captions),
        "settings": {
            "include_generated": snapshot.include_generated,
            **{name: getattr(project, name) for name in SETTINGS},
        },
        "concepts": [_concept(concept) for concept in concepts],
        "aggregation": {
            "version": aggregation.VERSION,
            "recomputed_to": project.aggregated_to,
            "features": str(project.features.name or ""),
        },
    }


def _up_to(rows: QuerySet[Any]) -> dict[str, Any]:
    """Return how many rows there are, and the id and the time of the newest."""
    found = rows.aggregate(count=Count("pk"), newest=Max("pk"), until=Max("created_at"))
    until = found["until"].isoformat(timespec="seconds") if found["until"] else ""
    return {"count": found["count"], "newest_id": found["newest"] or 0, "until": until}


def _concept(concept: Concept) -> dict[str, Any]:
    """Return what a concept means, and the weights of its prior."""
    return {
        "name": concept.name,
        "phrase": concept.phrase,
        "definition": concept.definition,
        "aliases": concept.aliases,
        "prevalence": round(concept.prevalence, DIGITS),
        "model_weight": round(concept.model_weight, DIGITS),
    }

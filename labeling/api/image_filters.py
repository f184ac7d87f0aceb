"""Which of a project's pictures are listed."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from rest_framework import serializers

from labeling import snapshot_rows
from labeling.api.queries import Dated, Flag, Id, OneOf, Share
from labeling.api.question_filters import known_concept
from labeling.images import browsing
from labeling.models import Image, Project, Question
from labeling.snapshot_folder import SPLITS
from labeling.unions import RowUnion

Images = QuerySet[Image] | RowUnion[Image]

# Fields of a query by the conditions of questions.
_ASKED = {
    "state": "state",
    "probability_min": "probability__gte",
    "probability_max": "probability__lte",
}
_OWN = {"q", "vendor", "batch", "license", "split", "with_text", "concept", "duplicate", *_ASKED}


class ImageFilters(Dated):
    q = serializers.CharField(
        required=False,
        max_length=200,
        help_text="A keyword, a folder's name, or a part of the path.",
    )
    imported_by = Id(required=False, help_text="The import that brought them.")
    vendor = serializers.CharField(
        required=False, max_length=200, help_text="From whom they, or a text of theirs, come."
    )
    batch = serializers.CharField(
        required=False, max_length=200, help_text="The vendor's name for their import."
    )
    license = serializers.CharField(
        required=False, max_length=200, help_text="Their own, or that of their import."
    )
    generated = Flag(required=False, help_text="Whether a model drew them.")
    duplicate = Flag(required=False, help_text="Whether they are near-duplicates of others.")
    split = OneOf(
        choices=SPLITS, required=False, help_text="In which a snapshot made now would put them."
    )
    with_text = Flag(required=False, help_text="Whether they have a caption or keywords.")
    concept = serializers.CharField(
        required=False,
        max_length=80,
        help_text="Those of which a question about it is stored, about all of them or a part; its "
        "name, or an alias.",
    )
    state = OneOf(
        choices=Question.State.choices, required=False, help_text="Of a question about them."
    )
    probability_min = Share(required=False, help_text="Of a question about them.")
    probability_max = Share(required=False, help_text="… the same one.")


def filtered(project: Project, chosen: dict[str, Any]) -> Images:
    """Return the pictures of a project that are chosen. Raises ValidationError."""
    origin = {name: chosen.get(name, "") for name in ("vendor", "batch", "license")}
    images = browsing.search(project, words=chosen.get("q", ""), **origin)
    images = images.filter(**{name: chosen[name] for name in chosen.keys() - _OWN})
    if "duplicate" in chosen:
        images = images.filter(near_duplicate_of__isnull=not chosen["duplicate"])
    if "split" in chosen:
        images = images.filter(snapshot_rows.in_split(chosen["split"]))
    if "with_text" in chosen:
        images = images.filter(_has_text() if chosen["with_text"] else ~_has_text())
    return _asked(images, project, chosen)


def _has_text() -> Q:
    captions = Question.objects.filter(tile__image=OuterRef("pk"), kind="caption")
    return ~Q(keywords=[]) | Q(Exists(captions))


def _asked(images: Images, project: Project, chosen: dict[str, Any]) -> Images:
    """Keep the images about which there is a stored question with all that is chosen of one."""
    of_question = {_ASKED[name]: chosen[name] for name in chosen.keys() & _ASKED.keys()}
    if "concept" in chosen:
        of_question |= {"concept": known_concept(project, chosen["concept"]), "kind": "concept"}
    if not of_question:
        return images
    questions = project.questions.filter(**of_question)
    return images.filter(pk__in=questions.values("tile__image"))

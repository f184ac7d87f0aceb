"""What is believed of one picture, or of a part of it, concept by concept, and why.

The concepts come in the order of their names, a page at a time, so that a page reads no more
predictions than it shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

import numpy as np
from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET, require_POST

from labeling import beliefs, review, svg
from labeling.access import Capability
from labeling.beliefs import Beliefs
from labeling.models import Concept, Image, Project, Question, Tile
from labeling.models.projects import name_key
from labeling.numbers import parse_id
from labeling.project_pages import base, boxes, labels

PAGE = 100  # concepts


@dataclass(frozen=True)
class Label:
    """What is believed of a tile and a concept."""

    concept: Concept
    probability: float
    question: Question | None  # None: the pair is implicit
    grounds: list[str]  # what the belief rests on, where nobody answered
    bar: SafeString

    @property
    def value(self) -> bool:
        """The likelier of yes and no."""
        return self.probability >= 0.5


class Filters(forms.Form):
    """Which tile and which concepts are shown, by the address; what makes no sense is ignored."""

    tile = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    q = forms.CharField(required=False, max_length=80)
    page = forms.IntegerField(required=False, min_value=1, max_value=10**6)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.is_valid()

    def tile_of(self, image: Image) -> Tile | None:
        """Return the chosen tile of an image, else its whole."""
        chosen = self.cleaned_data.get("tile") or 0
        return image.tiles.filter(pk=chosen).first() or image.tiles.filter(grid=1).first()


@require_GET
@base.page(Capability.VIEW)
def image_labels(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show what is believed of a picture, stored or implicit, concept by concept."""
    image = get_object_or_404(Image.objects.select_related("project"), pk=pk, project=project)
    context = of(image, Filters(request.GET)) | {"image": image, "at": request.GET.get("at", "")}
    template = "project/image_labels.html"
    return base.render(request, project, template, context, section=labels.SECTION)


@require_POST
@base.page(Capability.REVIEW)
def decide(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Decide whether a tile of the picture shows a concept, then show the picture again."""
    image = get_object_or_404(Image.objects.select_related("project"), pk=pk, project=project)
    filters = Filters(request.POST).cleaned_data
    kept = {name: value for name, value in filters.items() if value}
    if concept := _decide(request, image):
        kept["at"] = concept.pk
    address = reverse("project-image-labels", args=[project.slug, pk])
    return redirect(f"{address}?{urlencode(kept)}")


def of(image: Image, filters: Filters) -> dict[str, Any]:
    """Return the context of an image's page of labels."""
    tile = filters.tile_of(image)
    words = filters.cleaned_data.get("q") or ""
    concepts = [each for each in _concepts(image) if _is_meant(each, words)]
    page = Paginator(concepts, PAGE).get_page(filters.cleaned_data.get("page") or 1)
    rows = _labels(tile, page) if tile else []
    return {
        "tile": tile,
        "whole": image.tiles.filter(grid=1).first(),
        "boxes": boxes.of(image),
        "parts": list(image.tiles.filter(grid=image.cut_into, grid__gt=1).order_by("position")),
        "labels": rows,
        "stored": sum(label.question is not None for label in rows),
        "page": page,
        "words": words,
    }


def _decide(request: HttpRequest, image: Image) -> Concept | None:
    """Decide as the form says; return the concept that was decided about."""
    value = "yes" in request.POST
    pk = parse_id(request.POST.get("yes" if value else "no", ""))
    concept = image.project.concepts.filter(pk=pk).first()
    tile = Filters(request.POST).tile_of(image)
    if concept is None or tile is None:
        messages.error(request, "Choose yes or no beside a concept: nothing was changed.")
        return None
    try:
        question, _ = review.decide_pair(
            tile=tile, concept=concept, value=value, by=cast(User, request.user)
        )
    except review.PairError as error:
        messages.error(request, str(error))
        return None
    address = reverse("project-question", args=[image.project.slug, question.pk])
    text = '<a href="{}">{}</a> is {}, by your decision.'
    answer = "yes" if value else "no"
    messages.success(request, format_html(text, address, concept.phrase, answer))
    return concept


def _concepts(image: Image) -> list[Concept]:
    return list(image.project.concepts.filter(merged_into=None))


def _is_meant(concept: Concept, words: str) -> bool:
    """Whether the words are part of one of the concept's names."""
    return any(name_key(words) in key for key in concept.keys)


def _labels(tile: Tile, page: Page[Concept]) -> list[Label]:
    concepts: Sequence[Concept] = list(page)
    asked = Question.objects.filter(tile=tile, concept__in=concepts)
    questions = {each.concept_id: each for each in asked.select_related("concept")}
    priors = Beliefs(tile.image.project, concepts).priors(beliefs.facts([tile.pk]))
    rows = []
    for column, concept in enumerate(concepts):
        question = questions.get(concept.pk)
        probability = question.probability if question else float(priors.probability[0, column])
        rows.append(
            Label(
                concept,
                probability,
                question,
                _grounds(concept, priors.stated[0, column], priors.predicted[0, column], question),
                svg.bar(probability, question.state if question else "implicit"),
            )
        )
    return rows


def _grounds(
    concept: Concept, stated: float, predicted: float, question: Question | None
) -> list[str]:
    """Say what a pair is believed by before anybody answers."""
    if question is not None and question.stated is not None:
        stated = question.stated
    base = (
        f"prevalence {concept.prevalence:.2f}" if np.isnan(stated) else f"import says {stated:.2f}"
    )
    model = [] if np.isnan(predicted) else [f"model says {predicted:.2f}"]
    return [base, *model]


urlpatterns = [
    path("pictures/<int:pk>/labels/", image_labels, name="project-image-labels"),
    path("pictures/<int:pk>/decide/", decide, name="project-image-decide"),
]

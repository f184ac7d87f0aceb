"""What is believed of a picture over HTTP, concept by concept, and the picture itself."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import beliefs
from labeling.access import Capability
from labeling.api import views
from labeling.api.exceptions import NotFound
from labeling.api.guides import send_picture
from labeling.api.negotiation import PictureNegotiation
from labeling.api.pagination import ById
from labeling.api.permissions import may
from labeling.api.queries import Id, Query
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.beliefs import Beliefs
from labeling.models import Concept, Image, Question, Tile

MAY_VIEW = may(Capability.VIEW, models=(Image,))
OF_TILE = may(Capability.VIEW, models=(Tile,), path="image__project")


class LabelOut(serializers.Serializer[Any]):
    concept = serializers.IntegerField(help_text="Its id.")
    name = serializers.CharField()
    probability = serializers.FloatField(help_text="That the tile shows it, 0 to 1.")
    question = serializers.IntegerField(
        allow_null=True, help_text="Its id; null: none is stored, and nobody was asked."
    )
    state = serializers.ChoiceField(
        choices=[*Question.State.values, "implicit"], help_text="Of the question, or implicit."
    )
    stated = serializers.FloatField(
        allow_null=True, help_text="What an import says; null: nothing."
    )
    predicted = serializers.FloatField(
        allow_null=True, help_text="What the model says; null: nothing."
    )


class LabelFilters(Query):
    tile = Id(required=False, help_text="A part of the picture, by its id; without one, the whole.")
    q = serializers.CharField(
        required=False, max_length=80, help_text="A part of a concept's name."
    )


@extend_schema_view(
    get=extend_schema(
        operation_id="images_labels",
        responses={200: LabelOut(many=True), **errors(400, 401, 403, 404)},
    )
)
class ImageLabels(views.ListAPIView[Concept]):
    """What is believed of a picture, or of a part of it, stored or implicit, by concept."""

    permission_classes = [MAY_VIEW]
    pagination_class = ById
    queries: ClassVar = {"GET": LabelFilters}

    def get_queryset(self) -> QuerySet[Concept]:
        rows = Concept.objects.filter(project__images=self.kwargs["pk"], merged_into=None)
        return rows.filter(name__icontains=self.chosen().get("q", "")).select_related("project")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        image = get_object_or_404(Image.objects.select_related("project"), pk=kwargs["pk"])
        tile = _tile(image, self.chosen().get("tile"))
        concepts = self.paginate_queryset(self.get_queryset()) or []
        return self.get_paginated_response(_labels(image, tile, concepts))


class TilePictures(APIView):
    permission_classes = [OF_TILE]
    content_negotiation_class = PictureNegotiation

    @extend_schema(
        operation_id="tiles_picture",
        responses={(200, "image/webp"): OpenApiTypes.BINARY, **errors(401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Send the picture of a tile, as those who look through the project see it."""
        return send_picture(get_object_or_404(Tile.objects.select_related("image"), pk=pk))


def _tile(image: Image, pk: int | None) -> Tile:
    """Return a tile of an image, else its whole. Raises NotFound."""
    tiles = image.tiles.order_by("grid", "position")
    tile = tiles.first() if pk is None else tiles.filter(pk=pk).first()
    if tile is None:
        raise NotFound
    return tile


def _labels(image: Image, tile: Tile, concepts: Sequence[Concept]) -> list[dict[str, Any]]:
    asked = Question.objects.filter(tile=tile, concept__in=concepts)
    questions = {question.concept_id: question for question in asked}
    priors = Beliefs(image.project, concepts).priors(beliefs.facts([tile.pk]))
    rows = []
    for column, concept in enumerate(concepts):
        question = questions.get(concept.pk)
        prior = float(priors.probability[0, column])
        stated = priors.stated[0, column]
        if question is not None and question.stated is not None:
            stated = question.stated
        rows.append(
            {
                "concept": concept.pk,
                "name": concept.name,
                "probability": question.probability if question else prior,
                "question": question.pk if question else None,
                "state": question.state if question else "implicit",
                "stated": _or_none(stated),
                "predicted": _or_none(priors.predicted[0, column]),
            }
        )
    return rows


def _or_none(number: float) -> float | None:
    return None if np.isnan(number) else float(number)

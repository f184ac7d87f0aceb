"""Two models' pictures of the same prompts and seeds over HTTP."""

from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import Capability
from labeling.api.bodies import Body
from labeling.api.exceptions import NotFound
from labeling.api.idempotency import idempotent
from labeling.api.permissions import may
from labeling.api.queries import Id, Query, WholeNumber
from labeling.api.requests import valid
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Project
from training import side_by_side, tasks
from training.api.errors import BusyError, InvalidError
from training.generation_requests import GenerationError, QueueFullError
from training.models import SEED_LIMIT, Generation
from training.side_by_side import Comparison

MAY_COMPARE = may(
    Capability.VIEW, Capability.TRAIN, models=(Generation,), staff_write="training.add_run"
)


class ComparisonRequestSerializer(Body):
    """Which two models of a project, by which prompts, from which seed on."""

    model = serializers.IntegerField(
        min_value=1, required=False, help_text="Without one, the newest candidate that draws."
    )
    other = serializers.IntegerField(
        min_value=1, required=False, help_text="Without one, the current model of that recipe."
    )
    prompts = serializers.ListField(
        child=serializers.CharField(max_length=500),
        required=False,
        help_text="Without any, what the project knew best when they were trained.",
    )
    seed = serializers.IntegerField(min_value=0, max_value=SEED_LIMIT - 1, default=0)
    count = serializers.IntegerField(
        min_value=1,
        max_value=side_by_side.COUNT_MAX,
        default=side_by_side.COUNT,
        help_text="Pictures of each prompt: from `seed` on.",
    )


class ComparisonQuery(Query):
    """As the request to draw has it."""

    model = Id(required=False, help_text="Without one, the newest candidate that draws.")
    other = Id(required=False, help_text="Without one, the current model of that recipe.")
    prompts = serializers.ListField(
        child=serializers.CharField(max_length=500),
        required=False,
        help_text="Without any, what the project knew best when they were trained.",
    )
    seed = WholeNumber(max_value=SEED_LIMIT - 1, required=False, default=0)
    count = WholeNumber(
        min_value=1,
        max_value=side_by_side.COUNT_MAX,
        required=False,
        default=side_by_side.COUNT,
        help_text="Pictures of each prompt: from `seed` on.",
    )


class SideSerializer(serializers.Serializer[Any]):
    """What one model has drawn of a prompt."""

    state = serializers.CharField(help_text="As a generation's, or missing, or gone.")
    note = serializers.CharField(help_text="Why there is no picture.")
    pictures = serializers.ListField(child=serializers.CharField(), help_text="Addresses.")


class RowSerializer(serializers.Serializer[Any]):
    """A prompt, drawn by both."""

    prompt = serializers.CharField()
    model = SideSerializer()
    other = SideSerializer()


class ComparisonSerializer(serializers.Serializer[Any]):
    """Two models' pictures in pairs, as far as they are there."""

    model = serializers.IntegerField()
    other = serializers.IntegerField()
    seeds = serializers.ListField(child=serializers.IntegerField())
    drawn = serializers.IntegerField()
    of = serializers.IntegerField()
    unfinished = serializers.IntegerField(help_text="Under way.")
    rows = RowSerializer(many=True)


class ModelComparison(APIView):
    permission_classes = [MAY_COMPARE]
    queries: ClassVar = {"GET": ComparisonQuery}

    @extend_schema(
        operation_id="comparison",
        responses={200: ComparisonSerializer, **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return the pairs that have been drawn; what is missing is named."""
        return Response(side_by_side.as_json(_comparison(slug, self.chosen())))

    @extend_schema(
        operation_id="comparison_draw",
        request=ComparisonRequestSerializer,
        responses={200: ComparisonSerializer, **errors(400, 401, 403, 404, 413, 415, 429)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Have what is missing drawn; look at it by GET until nothing is under way."""
        assert isinstance(request.user, User)  # which the permission asks for
        comparison = _comparison(slug, valid(ComparisonRequestSerializer(data=request.data)))
        try:
            tasks.start_comparison(comparison=comparison, by=request.user)
        except QueueFullError as error:
            raise BusyError(str(error)) from None
        except GenerationError as error:
            raise InvalidError(str(error)) from None
        return Response(side_by_side.as_json(comparison))


def _comparison(slug: str, body: dict[str, Any]) -> Comparison:
    project = get_object_or_404(Project, slug=slug)
    model, other = side_by_side.pair(project, body.get("model"), body.get("other"))
    if model is None or other is None:
        raise NotFound("There are no two such models in this project.")
    prompts = body.get("prompts") or side_by_side.default_prompts(model, other)
    try:
        return side_by_side.of(
            model, other, prompts=prompts, seed=body["seed"], count=body["count"]
        )
    except GenerationError as error:
        raise InvalidError(str(error)) from None

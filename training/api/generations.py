"""Drawings over HTTP: anyone may wish for pictures, a worker draws them."""

import mimetypes
from pathlib import Path
from typing import Any

from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import generics, serializers, status
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, UserRateThrottle
from rest_framework.views import APIView

from labeling.api.serializers import ErrorOut
from training import drawing, jobs
from training.api.errors import BusyError, ConflictError, InvalidError
from training.models import Generation, Model, Sample

KEPT = "private, max-age=86400, immutable"


class WishThrottle(UserRateThrottle):
    """A drawing costs seconds of a processor: some a minute for each user or address."""

    scope = "draw"
    rate = "30/minute"


class MayAsk(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.is_active and request.user.has_perm("labeling.add_question")


class PictureSerializer(serializers.ModelSerializer[Sample]):
    url = serializers.SerializerMethodField()
    nearest_url = serializers.SerializerMethodField(help_text="The most alike training picture.")
    nearest_distance = serializers.SerializerMethodField()
    asked = serializers.BooleanField(source="image_id", help_text="Whether people are asked.")

    class Meta:
        model = Sample
        fields = ["seed", "url", "nearest_url", "nearest_distance", "asked"]

    def get_url(self, sample: Sample) -> str:
        return reverse("generation_picture", args=[sample.generation_id, self._number(sample)])

    def get_nearest_url(self, sample: Sample) -> str | None:
        if not sample.nearest:
            return None
        return reverse("generation_nearest", args=[sample.generation_id, self._number(sample), 1])

    def get_nearest_distance(self, sample: Sample) -> float | None:
        return sample.nearest[0].get("distance") if sample.nearest else None

    def _number(self, sample: Sample) -> int:
        return list(sample.generation.samples.all()).index(sample) + 1


class GenerationSerializer(serializers.ModelSerializer[Generation]):
    pictures = PictureSerializer(source="samples", many=True, read_only=True)
    ahead = serializers.SerializerMethodField(help_text="How many wishes are drawn before it.")

    class Meta:
        model = Generation
        fields = [
            "id",
            "model",
            "prompt",
            "count",
            "seed",
            "guidance",
            "state",
            "error",
            "ahead",
            "pictures",
            "created_at",
        ]

    def get_ahead(self, generation: Generation) -> int:
        if generation.state != Generation.State.QUEUED:
            return 0
        waiting = Generation.objects.filter(state__in=["queued", "drawing"])
        return waiting.filter(created_at__lt=generation.created_at).count()


class WishSerializer(serializers.Serializer[Any]):
    """A prompt, or none, for a project's current model."""

    model = serializers.PrimaryKeyRelatedField(
        queryset=Model.objects.filter(recipe="diffusion"), required=False
    )
    project = serializers.SlugField(required=False)
    prompt = serializers.CharField(
        max_length=drawing.PROMPT_LIMIT, allow_blank=True, default="", help_text="Empty: a guess."
    )
    count = serializers.IntegerField(min_value=1, max_value=drawing.COUNT_LIMIT, default=4)
    seed = serializers.IntegerField(min_value=0, max_value=drawing.SEED_LIMIT - 1, default=0)
    guidance = serializers.FloatField(min_value=0.0, max_value=drawing.GUIDANCE_LIMIT, default=2.0)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        project = attrs.pop("project", None)
        if "model" not in attrs:
            current = Model.objects.filter(recipe="diffusion", current=True)
            if project is not None:
                current = current.filter(project__slug=project)
            model = current.first()
            if model is None:
                raise serializers.ValidationError(
                    "There is no model that draws yet: train one with the recipe diffusion."
                )
            attrs["model"] = model
        return attrs


class Generations(APIView):
    permission_classes = [AllowAny]
    throttle_classes: list[type[BaseThrottle]] = [WishThrottle]

    @extend_schema(
        request=WishSerializer,
        responses={201: GenerationSerializer, (400, 429): ErrorOut},
    )
    def post(self, request: Request) -> Response:
        """Wish for pictures; look at the drawing until its state is done."""
        wish = WishSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        user = request.user if request.user.is_authenticated else None
        try:
            generation = jobs.start_drawing(requested_by=user, **wish.validated_data)
        except drawing.QueueFullError as error:
            raise BusyError(str(error)) from None
        except drawing.DrawingError as error:
            raise InvalidError(str(error)) from None
        return Response(GenerationSerializer(generation).data, status=status.HTTP_201_CREATED)


class GenerationDetail(generics.RetrieveAPIView[Generation]):
    """A drawing's state, and its pictures once they are there."""

    permission_classes = [AllowAny]
    queryset = Generation.objects.prefetch_related("samples__generation__samples")
    serializer_class = GenerationSerializer


class Ask(generics.GenericAPIView[Generation]):
    permission_classes = [IsAdminUser, MayAsk]
    queryset = Generation.objects.select_related("model__project")

    @extend_schema(
        request=None,
        responses={
            200: inline_serializer("Asked", {"questions": serializers.IntegerField()}),
            (403, 404, 409): ErrorOut,
        },
    )
    def post(self, request: Request, pk: object) -> Response:
        """Ask people whether the pictures show what they were drawn from."""
        try:
            asked = drawing.ask_about(generation=self.get_object())
        except ValueError as error:
            raise ConflictError(str(error)) from None
        return Response({"questions": asked})


@require_safe
def picture(request: HttpRequest, pk: object, number: int) -> FileResponse:
    """A drawn picture."""
    try:
        return _png(_sample(pk, number).file.open("rb"), "picture.png")
    except FileNotFoundError:
        raise Http404("The picture has gone.") from None


@require_safe
def nearest(request: HttpRequest, pk: object, number: int, rank: int) -> FileResponse:
    """One of the training pictures that a drawn picture is most like."""
    sample = _sample(pk, number)
    snapshot = sample.generation.model.run.snapshot
    if snapshot is None or not 1 <= rank <= len(sample.nearest):
        raise Http404("There is no such picture.")
    name = Path(str(sample.nearest[rank - 1].get("file_name"))).name
    try:
        return _png(Path(snapshot.folder, "train", name).open("rb"), name)
    except OSError:
        raise Http404("The snapshot's picture has gone.") from None


def _sample(pk: object, number: int) -> Sample:
    generation = get_object_or_404(Generation, pk=pk)
    samples = generation.samples.select_related("generation__model__run__snapshot")
    if not 1 <= number <= drawing.COUNT_LIMIT or number > samples.count():
        raise Http404("There is no such picture.")
    return samples[number - 1]


def _png(file: Any, name: str) -> FileResponse:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(file, content_type=kind, headers={"Cache-Control": KEPT})

"""Drawings over HTTP: anyone may wish for pictures, a worker draws them."""

import secrets
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import generics, serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import AllowAny, BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, UserRateThrottle
from rest_framework.views import APIView

from labeling.api.parsers import BoundedJSONParser
from labeling.api.serializers import ErrorOut
from training import generation_limits, generations, tasks
from training.api.errors import BusyError, ConflictError, InvalidError
from training.api.generation_requests import PictureParser, WishSerializer
from training.models import Generation, Sample

SESSION_KEY = "studio"  # of what a visitor's drawings are known by
HISTORY = 12  # drawings

State = Generation.State


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
    asked = serializers.SerializerMethodField(help_text="Whether people are asked about it.")

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

    def get_asked(self, sample: Sample) -> bool:
        return sample.image_id is not None

    def _number(self, sample: Sample) -> int:
        return list(sample.generation.samples.all()).index(sample) + 1


class GenerationSerializer(serializers.ModelSerializer[Generation]):
    pictures = PictureSerializer(source="samples", many=True, read_only=True)
    ahead = serializers.SerializerMethodField(help_text="How many wishes are drawn before it.")
    given_url = serializers.SerializerMethodField(help_text="The picture to be completed.")
    may_cancel = serializers.SerializerMethodField(help_text="Whether you may cancel it, now.")

    class Meta:
        model = Generation
        fields = [
            "id",
            "model",
            "kind",
            "prompt",
            "second_prompt",
            "count",
            "seed",
            "second_seed",
            "guidance",
            "given_url",
            "state",
            "progress",
            "error",
            "ahead",
            "may_cancel",
            "pictures",
            "created_at",
        ]

    def get_ahead(self, generation: Generation) -> int:
        if generation.state != State.QUEUED:
            return 0
        waiting = Generation.objects.filter(state__in=[State.QUEUED, State.DRAWING])
        return waiting.filter(created_at__lt=generation.created_at).count()

    def get_given_url(self, generation: Generation) -> str | None:
        return reverse("generation_given", args=[generation.pk]) if generation.given else None

    def get_may_cancel(self, generation: Generation) -> bool:
        waits = generation.state in (State.QUEUED, State.DRAWING)
        return waits and not generation.cancel_requested and _is_own(self.context, generation)


class Generations(APIView):
    permission_classes = [AllowAny]
    parser_classes = [BoundedJSONParser, PictureParser]

    def get_throttles(self) -> list[BaseThrottle]:
        return [WishThrottle()] if self.request.method == "POST" else []

    @extend_schema(responses={200: GenerationSerializer(many=True)})
    def get(self, request: Request) -> Response:
        """Your own last drawings, the newest first."""
        own = _own(request).prefetch_related("samples__generation__samples")[:HISTORY]
        return Response(GenerationSerializer(own, many=True, context={"request": request}).data)

    @extend_schema(
        request=WishSerializer,
        responses={201: GenerationSerializer, (400, 413, 429): ErrorOut},
    )
    def post(self, request: Request) -> Response:
        """Wish for pictures; look at the drawing until its state is done."""
        wish = WishSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        user = request.user if request.user.is_authenticated else None
        visitor = "" if user else _welcome(request)
        try:
            generation = tasks.start_drawing(
                requested_by=user, visitor=visitor, **wish.validated_data
            )
        except generation_limits.QueueFullError as error:
            raise BusyError(str(error)) from None
        except generation_limits.DrawingError as error:
            raise InvalidError(str(error)) from None
        said = GenerationSerializer(generation, context={"request": request})
        return Response(said.data, status=status.HTTP_201_CREATED)


class GenerationDetail(generics.RetrieveAPIView[Generation]):
    """A drawing's state, and its pictures once they are there."""

    permission_classes = [AllowAny]
    queryset = Generation.objects.prefetch_related("samples__generation__samples")
    serializer_class = GenerationSerializer


class Cancel(generics.GenericAPIView[Generation]):
    permission_classes = [AllowAny]
    queryset = Generation.objects.all()
    serializer_class = GenerationSerializer

    @extend_schema(request=None, responses={200: GenerationSerializer, (403, 404, 409): ErrorOut})
    def post(self, request: Request, pk: object) -> Response:
        """Cancel a drawing of your own; staff may cancel anybody's."""
        generation = self.get_object()
        if not _is_own({"request": request}, generation):
            raise PermissionDenied("This drawing is somebody else's.")
        try:
            generations.cancel(generation=generation)
        except generation_limits.DrawingError as error:
            raise ConflictError(str(error)) from None
        return Response(self.get_serializer(self.get_object()).data)


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
            asked = generations.ask_about(generation=self.get_object())
        except ValueError as error:
            raise ConflictError(str(error)) from None
        return Response({"questions": asked})


def _own(request: Request) -> QuerySet[Generation]:
    """The drawings of a user, or of a visitor's session."""
    if request.user.is_authenticated:
        return Generation.objects.filter(requested_by=request.user.pk)
    visitor = request._request.session.get(SESSION_KEY)
    return Generation.objects.filter(visitor=visitor) if visitor else Generation.objects.none()


def _is_own(context: Mapping[str, Any], generation: Generation) -> bool:
    request: Request = context["request"]
    if request.user.is_active and request.user.is_staff:
        return True
    return _own(request).filter(pk=generation.pk).exists()


def _welcome(request: Request) -> str:
    """What a visitor's drawings are known by, from now on."""
    session = request._request.session
    if SESSION_KEY not in session:
        session[SESSION_KEY] = secrets.token_hex(16)
    return str(session[SESSION_KEY])

"""Generations over HTTP: anyone may request samples, a worker generates them."""

import secrets
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import Capability
from labeling.api import views
from labeling.api.idempotency import idempotent
from labeling.api.parsers import BoundedJSONParser
from labeling.api.permissions import may
from labeling.api.responses import made
from labeling.api.schema import errors
from labeling.api.throttles import Begun
from labeling.api.views import APIView
from labeling.models import Question
from labeling.permissions import is_staff
from training import (
    generation_requests,
    generators,
    sample_questions,
    server_paths,
    tasks,
    viewers,
    workers,
)
from training.api.errors import BusyError, ConflictError, InvalidError
from training.api.generation_requests import GenerationRequestSerializer, SourceImageParser
from training.generation_requests import UNFINISHED, GenerationError, QueueFullError
from training.models import Generation, Sample

SESSION_KEY = "studio"  # under which a session keeps its visitor's key
HISTORY_MAX = 12  # generations

State = Generation.State
MAY_ASK = may(
    Capability.VIEW,
    Capability.TRAIN,
    models=(Generation, Question),
    staff_write="labeling.add_question",
    path="model__project",
)


class GenerationThrottle(Begun):
    """Each user or address may request some a minute: a request costs seconds of a processor."""

    scope = "generate"
    most = 30


class DraftThrottle(Begun):
    """Each user or address may request more drafts a minute: one costs a fraction of a second."""

    scope = "draft"
    most = 120


class SampleSerializer(serializers.ModelSerializer[Sample]):
    url = serializers.SerializerMethodField()
    nearest_url = serializers.SerializerMethodField(help_text="The nearest training image.")
    nearest_distance = serializers.SerializerMethodField()
    asked = serializers.SerializerMethodField(help_text="Whether people are asked about it.")

    class Meta:
        model = Sample
        fields = ["seed", "url", "nearest_url", "nearest_distance", "asked"]

    def get_url(self, sample: Sample) -> str:
        return reverse("generation_sample", args=[sample.generation_id, self._number(sample)])

    def get_nearest_url(self, sample: Sample) -> str | None:
        if next(iter(generators.nearest(sample)), None) is None:
            return None
        return reverse("generation_nearest", args=[sample.generation_id, self._number(sample), 1])

    def get_nearest_distance(self, sample: Sample) -> float | None:
        return sample.nearest[0].get("distance") if sample.nearest else None

    def get_asked(self, sample: Sample) -> bool:
        return sample.question_id is not None

    def _number(self, sample: Sample) -> int:
        return list(sample.generation.samples.all()).index(sample) + 1


class GenerationSerializer(serializers.ModelSerializer[Generation]):
    samples = SampleSerializer(many=True, read_only=True)
    queue_position = serializers.SerializerMethodField(
        help_text="How many unfinished requests come before it."
    )
    waits_for = serializers.SerializerMethodField(
        help_text="What keeps it waiting, in a sentence; empty where only others come before it."
    )
    source_image_url = serializers.SerializerMethodField(
        help_text="The image to inpaint, or whose other half is drawn."
    )
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
            "draft",
            "source_image_url",
            "state",
            "progress",
            "error",
            "queue_position",
            "waits_for",
            "may_cancel",
            "samples",
            "created_at",
        ]

    def get_queue_position(self, generation: Generation) -> int:
        if generation.state != State.QUEUED:
            return 0
        unfinished = Generation.objects.filter(state__in=UNFINISHED)
        return unfinished.filter(created_at__lt=generation.created_at).count()

    def get_waits_for(self, generation: Generation) -> str:
        if generation.state != State.QUEUED:
            return ""
        if generation.delay_reason:
            return server_paths.hidden(generation.delay_reason)
        if workers.are_missing(workers.DRAW, since=generation.created_at):
            return _("No worker draws at the moment: yours is drawn once one is started.")
        return ""

    def get_source_image_url(self, generation: Generation) -> str | None:
        if not generation.source_image:
            return None
        return reverse("generation_source_image", args=[generation.pk])

    def get_may_cancel(self, generation: Generation) -> bool:
        unfinished = generation.state in UNFINISHED
        return unfinished and not generation.cancel_requested and _is_own(self.context, generation)


class Generations(APIView):
    permission_classes = [AllowAny]
    parser_classes = [BoundedJSONParser, SourceImageParser]

    def body(self, request: Request) -> Any:
        """Return the fields of a request that is posted."""
        return request.data

    @extend_schema(
        operation_id="generations_list",
        responses={200: GenerationSerializer(many=True), **errors(401)},
    )
    def get(self, request: Request) -> Response:
        """Your own last generations, the newest first, without drafts."""
        own = (
            _own(request)
            .filter(draft=False)
            .prefetch_related("samples__generation__samples")[:HISTORY_MAX]
        )
        return Response(GenerationSerializer(own, many=True, context={"request": request}).data)

    @extend_schema(
        operation_id="generations_create",
        request=GenerationRequestSerializer,
        responses={201: GenerationSerializer, **errors(400, 401, 403, 413, 415, 429)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Request samples; look at the generation until its state is succeeded."""
        data = self.body(request)
        serializer = GenerationRequestSerializer(data=data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        self._check_rate(request, serializer.validated_data["draft"])
        user = request.user if request.user.is_authenticated else None
        visitor = "" if user else _visitor_key(request)
        try:
            generation = tasks.start_generation(
                requested_by=user, visitor=visitor, **serializer.validated_data
            )
        except QueueFullError as error:
            raise BusyError(str(error)) from None
        except GenerationError as error:
            raise InvalidError(str(error)) from None
        response = GenerationSerializer(generation, context={"request": request})
        return made("generation", generation.pk, data=response.data)

    def _check_rate(self, request: Request, draft: bool) -> None:
        throttle = DraftThrottle() if draft else GenerationThrottle()
        if not throttle.allow_request(request, self):
            self.throttled(request, throttle.wait() or 1.0)


@extend_schema_view(
    get=extend_schema(
        operation_id="generations_detail", responses={200: GenerationSerializer, **errors(401, 404)}
    )
)
class GenerationDetail(views.RetrieveAPIView[Generation]):
    """A generation's state, and its samples once they are there."""

    permission_classes = [AllowAny]
    serializer_class = GenerationSerializer

    def get_queryset(self) -> QuerySet[Generation]:
        visible = viewers.generations(self.request._request, self.request.user)
        return visible.prefetch_related("samples__generation__samples")


class Cancel(views.GenericAPIView[Generation]):
    permission_classes = [AllowAny]
    queryset = Generation.objects.all()
    serializer_class = GenerationSerializer

    @extend_schema(
        operation_id="generations_cancel",
        request=None,
        responses={200: GenerationSerializer, **errors(401, 403, 404, 409)},
    )
    def post(self, request: Request, pk: object) -> Response:
        """Cancel a generation of your own; staff may cancel anybody's."""
        generation = self.get_object()
        if not _is_own({"request": request}, generation):
            raise PermissionDenied(_("This drawing is somebody else's."))
        try:
            generation_requests.cancel(generation=generation)
        except GenerationError as error:
            raise ConflictError(str(error)) from None
        return Response(self.get_serializer(self.get_object()).data)


class Ask(APIView):
    permission_classes = [MAY_ASK]

    @extend_schema(
        operation_id="generations_ask",
        request=None,
        responses={
            200: inline_serializer("Asked", {"questions": serializers.IntegerField()}),
            **errors(401, 403, 404, 409),
        },
    )
    @idempotent
    def post(self, request: Request, pk: object) -> Response:
        """Ask people whether the samples show what they were generated from."""
        generation = get_object_or_404(Generation.objects.select_related("model__project"), pk=pk)
        try:
            new_questions = sample_questions.ask(generation=generation)
        except ValueError as error:
            raise ConflictError(str(error)) from None
        return Response({"questions": new_questions})


def _own(request: Request) -> QuerySet[Generation]:
    """Return the generations of a user, or of a visitor's session, that they may still see."""
    visible = viewers.generations(request._request, request.user)
    if request.user.is_authenticated:
        return visible.filter(requested_by=request.user.pk)
    visitor = request._request.session.get(SESSION_KEY)
    return visible.filter(visitor=visitor) if visitor else visible.none()


def _is_own(context: Mapping[str, Any], generation: Generation) -> bool:
    request: Request = context["request"]
    if is_staff(request.user) and request.user.has_perm("training.change_generation"):
        return True
    return _own(request).filter(pk=generation.pk).exists()


def _visitor_key(request: Request) -> str:
    """Return the key of a visitor's session; give it one if it has none."""
    session = request._request.session
    if SESSION_KEY not in session:
        session[SESSION_KEY] = secrets.token_hex(16)
    return str(session[SESSION_KEY])

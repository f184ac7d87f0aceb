"""Training over HTTP, for members and staff: start, follow, cancel, resume."""

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import Capability
from labeling.api import views
from labeling.api.bodies import Body
from labeling.api.idempotency import idempotent
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import Dated, Id, OneOf, Query, WholeNumber
from labeling.api.requests import user
from labeling.api.responses import made
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Project, Snapshot
from training import (
    outlook,
    readiness,
    run_folders,
    run_requests,
    run_summary,
    runs,
    server_paths,
    tasks,
)
from training.api.errors import ConflictError, InvalidError
from training.engine import progress
from training.models import SEED_LIMIT, Model, Run

MAY_VIEW = may(Capability.VIEW, models=(Run,))
MAY_DELETE = may(
    Capability.VIEW, Capability.TRAIN, models=(Run,), staff_delete="training.delete_run"
)
MAY_TRAIN = may(Capability.VIEW, Capability.TRAIN, models=(Run,), staff_write="training.add_run")


class RunSerializer(serializers.ModelSerializer[Run]):
    project = serializers.CharField(source="project.slug", read_only=True)
    error = serializers.SerializerMethodField(help_text="Why it failed, or empty.")

    class Meta:
        model = Run
        fields = [
            "id",
            "project",
            "snapshot",
            "recipe",
            "preset",
            "options",
            "clip",
            "seed",
            "state",
            "trigger",
            "attempts",
            "cancel_requested",
            "stage",
            "step",
            "steps",
            "loss",
            "images_per_second",
            "seconds_left",
            "metrics",
            "error",
            "created_at",
            "started_at",
            "finished_at",
        ]

    def get_error(self, run: Run) -> str:
        return server_paths.as_shown_to(self.context["request"].user, run.error)


class RunDetailSerializer(RunSerializer):
    curve = serializers.SerializerMethodField(help_text="[step, loss], thinned.")
    snapshot_warning = serializers.CharField(
        source="snapshot.warning",
        read_only=True,
        default="",
        help_text="Pictures of its snapshot that were removed since, as a sentence, or empty.",
    )
    headline = serializers.SerializerMethodField(
        help_text="Its state in words; of a queued run, how many are before it and when it starts."
    )

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "headline", "curve", "snapshot_warning"]

    def get_headline(self, run: Run) -> str:
        return run_summary.headline(run)

    def get_curve(self, run: Run) -> list[list[float]]:
        folder = run_folders.local(run, "progress.jsonl")
        return [list(point) for point in progress.curve(folder)] if folder else []


class _RowOfProject(serializers.PrimaryKeyRelatedField[Any]):
    """A row of a project in which the caller may train."""

    def get_queryset(self) -> QuerySet[Any]:
        rows = cast(QuerySet[Any], super().get_queryset())
        return rows.filter(project__in=_trainable(self))


@extend_schema_field({"type": "string", "minLength": 1})
class _ProjectBySlug(serializers.SlugRelatedField[Project]):
    """A project in which the caller may train."""

    def get_queryset(self) -> QuerySet[Project]:
        return _trainable(self)


def _trainable(field: serializers.Field[Any, Any, Any, Any]) -> QuerySet[Project]:
    return MAY_TRAIN.projects(field.context["request"])


class RunRequestSerializer(Body):
    """What to train on (a snapshot, or a project, of which one is frozen), and how."""

    either = "snapshot", "project"

    snapshot = _RowOfProject(queryset=Snapshot.objects.select_related("project"), required=False)
    project = _ProjectBySlug("slug", queryset=Project.objects.all(), required=False)
    include_generated = serializers.BooleanField(
        default=True, help_text="Learn from what people said of drawings, too."
    )
    recipe = serializers.CharField(max_length=40)
    preset = serializers.CharField(max_length=40, default="cpu")
    options = serializers.DictField(
        default=dict, help_text="In place of the preset's, such as steps; base for lora."
    )
    clip = _RowOfProject(
        queryset=Model.objects.filter(recipe="clip"),
        required=False,
        allow_null=True,
        help_text="The clip model that encodes its texts; none: a frozen sentence encoder.",
    )
    seed = serializers.IntegerField(min_value=0, max_value=SEED_LIMIT - 1, default=0)
    anyway = serializers.BooleanField(
        default=False, help_text="Although there are no settled labels to learn from."
    )


class RunFilters(Dated):
    project = serializers.SlugField(
        source="project__slug", required=False, max_length=60, help_text="Its short name."
    )
    state = OneOf(choices=Run.State.choices, required=False)
    recipe = serializers.CharField(required=False, max_length=40)
    trigger = OneOf(choices=Run.Trigger.choices, required=False, help_text="What began it.")
    snapshot = Id(required=False, help_text="What it learns from: an id.")


class RunList(views.ListAPIView[Run]):
    """Runs, the newest first."""

    permission_classes = [MAY_TRAIN]
    pagination_class = NewestFirst
    serializer_class = RunSerializer
    queries: ClassVar = {"GET": RunFilters}

    def get_queryset(self) -> QuerySet[Run]:
        projects = MAY_VIEW.projects(self.request)
        rows = Run.objects.filter(project__in=projects, **self.chosen())
        return rows.select_related("project")

    @extend_schema(
        operation_id="runs_list",
        responses={200: RunSerializer(many=True), **errors(401, 403, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="runs_start",
        request=RunRequestSerializer,
        responses={201: RunSerializer, **errors(400, 401, 403, 413, 415)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Queue a run; a worker executes it."""
        serializer = RunRequestSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        try:
            run = tasks.start_run(
                trigger=Run.Trigger.API, requested_by=user(request), **serializer.validated_data
            )
        except readiness.NothingToLearnError as error:
            raise InvalidError(f"{error} To train all the same, send anyway: true.") from None
        except runs.RunError as error:
            raise InvalidError(str(error)) from None
        return made("run", run.pk, data=RunSerializer(run, context={"request": request}).data)


@extend_schema_view(
    get=extend_schema(
        operation_id="runs_detail", responses={200: RunDetailSerializer, **errors(401, 403, 404)}
    )
)
class RunDetail(views.RetrieveAPIView[Run]):
    """One run: its state, progress, loss curve and metrics."""

    permission_classes = [MAY_DELETE]
    queryset = Run.objects.select_related("project")
    serializer_class = RunDetailSerializer

    @extend_schema(operation_id="runs_delete", responses={204: None, **errors(401, 403, 404, 409)})
    def delete(self, request: Request, pk: int) -> Response:
        """Delete an ended run, its folder and its model."""
        try:
            runs.delete(run=self.get_object(), by=cast(User, request.user))
        except runs.RunError as error:
            raise ConflictError(str(error)) from None
        return Response(status=status.HTTP_204_NO_CONTENT)


class StateChange(views.GenericAPIView[Run]):
    """Change a run's state."""

    permission_classes = [MAY_TRAIN]
    queryset = Run.objects.select_related("project")
    serializer_class = RunSerializer

    def apply(self, change: Callable[..., None]) -> Response:
        """Change the state and return the run; 409 where its state does not allow it."""
        try:
            change(run=self.get_object(), by=user(self.request))
        except runs.RunError as error:
            raise ConflictError(str(error)) from None
        return Response(self.get_serializer(self.get_object()).data)


_STATE_CHANGE: dict[str, Any] = {
    "request": None,
    "responses": {200: RunSerializer, **errors(401, 403, 404, 409)},
}


class Cancel(StateChange):
    @extend_schema(operation_id="runs_cancel", **_STATE_CHANGE)
    def post(self, request: Request, pk: int) -> Response:
        """End a run: at once while it is queued, else after its next checkpoint."""
        return self.apply(runs.cancel)


class Resume(StateChange):
    @extend_schema(operation_id="runs_resume", **_STATE_CHANGE)
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Queue a failed or cancelled run again; it goes on from its last checkpoint."""
        return self.apply(tasks.resume_run)


class OutlookRequestSerializer(Query):
    """What would be trained."""

    recipe = serializers.CharField(max_length=40, required=False, default="diffusion")
    preset = serializers.CharField(max_length=40, required=False, default="cpu")
    snapshot = Id(required=False, help_text="Without one, what a new snapshot would hold.")
    steps = WholeNumber(min_value=1, max_value=2**31 - 1, required=False)


class EstimateSerializer(serializers.Serializer[Any]):
    """Seconds, from and to."""

    low = serializers.FloatField()
    high = serializers.FloatField()
    words = serializers.CharField()


class OutlookSerializer(serializers.Serializer[Any]):
    """What a run would learn from, how long it takes, and when it starts."""

    numbers = serializers.CharField()
    warning = serializers.CharField(help_text="What is missing; empty where nothing is.")
    takes = EstimateSerializer()
    basis = serializers.CharField()
    before = serializers.IntegerField(help_text="Runs that end first.")
    wait = EstimateSerializer(allow_null=True, help_text="null: seconds.")


class RunOutlook(APIView):
    permission_classes = [MAY_VIEW]
    queries: ClassVar = {"GET": OutlookRequestSerializer}

    @extend_schema(
        operation_id="runs_outlook",
        responses={200: OutlookSerializer, **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """Say what to expect of a run, before it is asked for."""
        body = self.chosen()
        project = get_object_or_404(Project, slug=slug)
        snapshot = None
        if "snapshot" in body:
            ready = Snapshot.objects.filter(project=project, state=Snapshot.State.READY)
            snapshot = get_object_or_404(ready, pk=body["snapshot"])
        try:
            run_requests.check_preset(body["recipe"], body["preset"])
        except runs.RunError as error:
            raise InvalidError(str(error)) from None
        expected = outlook.of(
            project=project,
            recipes=[body["recipe"]],
            preset=body["preset"],
            snapshot=snapshot,
            options={"steps": body["steps"]} if "steps" in body else None,
        )
        return Response(OutlookSerializer(expected).data)

"""Where labels and models come from, over HTTP, for members and staff."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import Capability
from labeling.api.permissions import may
from labeling.api.queries import Id, Query
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Image, Project, Snapshot
from training import lineage
from training.api.errors import InvalidError
from training.lineage import OfPicture, OfSnapshots
from training.models import Model

MAY_TRACE = may(Capability.VIEW, models=(Model, Snapshot, Image))


class LineageIn(Query):
    """What is traced: one of these."""

    sha256 = serializers.RegexField(
        "^[0-9a-f]{64}$",
        required=False,
        help_text="The hash of a snapshot, which models keep as `snapshot_sha256`; or a picture's.",
    )
    snapshot = Id(required=False)
    model = Id(required=False)
    picture = Id(required=False)


class StatementOut(serializers.Serializer[Any]):
    """What an import said of a picture."""

    def get_fields(self) -> dict[str, Any]:
        return {
            "import": serializers.IntegerField(allow_null=True),
            "path": serializers.CharField(),
            "keywords": serializers.ListField(child=serializers.CharField()),
            "captions": serializers.ListField(child=serializers.CharField()),
            "license": serializers.CharField(),
        }


class AskedOut(serializers.Serializer[Any]):
    """A question about a picture that somebody answered."""

    id = serializers.IntegerField()
    text = serializers.CharField()
    answers = serializers.IntegerField()
    yes = serializers.IntegerField()
    probability = serializers.FloatField()


class TracedPictureOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    project = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    sha256 = serializers.CharField()
    removed = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why it was removed.")
    license = serializers.CharField()
    statements = StatementOut(many=True)
    answers = serializers.IntegerField()
    newest_answer = serializers.IntegerField(
        allow_null=True, help_text="The id of the newest of them."
    )
    questions = AskedOut(many=True)


class TracedSnapshotOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    project = serializers.CharField()
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()
    warning = serializers.CharField()
    successor = serializers.IntegerField(allow_null=True)
    made_from = serializers.DictField()


class TracedModelOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    project = serializers.CharField()
    recipe = serializers.CharField()
    current = serializers.BooleanField()
    run = serializers.IntegerField()
    snapshot = serializers.IntegerField(allow_null=True)


class LineageOut(serializers.Serializer[Any]):
    """A picture, the snapshots that hold it, the models trained on them; or from a snapshot on."""

    picture = TracedPictureOut(allow_null=True)
    snapshots = TracedSnapshotOut(many=True)
    models = TracedModelOut(many=True)


class Lineage(APIView):
    permission_classes = [MAY_TRACE]
    queries: ClassVar = {"GET": LineageIn}

    @extend_schema(
        operation_id="lineage",
        responses={200: LineageOut(many=True), **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        """Trace a picture, a snapshot or a model; a hash may be that of several, or of none."""
        named = self.chosen()
        if len(named) != 1:
            raise InvalidError(
                "Say what is traced by one of sha256, snapshot, model and picture: "
                "/api/v1/lineage/?picture=17."
            )
        found = _trace(MAY_TRACE.projects(request), **named)
        return Response([lineage.as_json(each) for each in found])


def _trace(
    projects: QuerySet[Project],
    sha256: str = "",
    snapshot: int = 0,
    model: int = 0,
    picture: int = 0,
) -> list[OfSnapshots | OfPicture]:
    if sha256:
        snapshots = lineage.of_hash(sha256, projects)
        pictures = lineage.find_pictures(sha256, projects)
        return [snapshots] * bool(snapshots.snapshots) + [*map(lineage.of_picture, pictures)]
    if snapshot:
        rows = Snapshot.objects.select_related("project").filter(project__in=projects)
        return [lineage.of_snapshot(get_object_or_404(rows, pk=snapshot))]
    if model:
        models = Model.objects.select_related("run__snapshot__project")
        row = get_object_or_404(models, pk=model, project__in=projects)
        return [lineage.of_snapshot(row.run.snapshot)] if row.run.snapshot else []
    images = Image.objects.select_related("project").filter(project__in=projects)
    return [lineage.of_picture(get_object_or_404(images, pk=picture))]

"""A project's pictures over HTTP: look through them, and remove one."""

from dataclasses import asdict
from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import box_beliefs, provenance, reissues, removal, snapshot_rows
from labeling.access import Capability
from labeling.api import image_filters, views
from labeling.api.bodies import Body
from labeling.api.fields import Number
from labeling.api.idempotency import idempotent
from labeling.api.image_filters import ImageFilters
from labeling.api.marked import MarkedSnapshotsOut
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.requests import valid
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Image, Project

REMOVED_AT_ONCE = 500
MAY_REMOVE = may(
    Capability.VIEW, Capability.MANAGE, models=(Image,), staff_write="labeling.change_project"
)


class ProvenanceOut(serializers.Serializer[Any]):
    """Where a picture, or a text, comes from; an empty field: nobody said it."""

    record = serializers.IntegerField(help_text="The id of its import; 0: it came without one.")
    name = serializers.CharField(help_text="Of the import.")
    layout = serializers.CharField(help_text="How its file is written.")
    file = serializers.CharField(help_text="Empty: a file that is named as the picture.")
    vendor = serializers.CharField()
    batch = serializers.CharField()
    license = serializers.CharField()
    url = serializers.CharField()
    date = serializers.CharField(help_text="As it is written; else the day of the import.")
    importer = serializers.CharField(help_text="Who imported it.")
    price = serializers.CharField(help_text="Of one text, as `0.05 EUR`.")


class ImageOut(serializers.ModelSerializer[Image]):
    provenance = serializers.SerializerMethodField()

    @extend_schema_field(ProvenanceOut)
    def get_provenance(self, image: Image) -> Any:
        origin = provenance.of(image.imported_by, image.text_source, license=image.license)
        return ProvenanceOut(origin).data

    class Meta:
        model = Image
        fields = [
            "id",
            "source",
            "further_sources",
            "keywords",
            "width",
            "height",
            "sha256",
            "license",
            "generated",
            "near_duplicate_of",
            "imported_by",
            "provenance",
            "created_at",
        ]
        read_only_fields = fields


class BoxOut(serializers.Serializer[Any]):
    """A rectangle that an import drew, in pixels, and what it may show; as snapshots hold it."""

    tile = serializers.IntegerField(source="tile.pk", help_text="The id of the tile it is.")
    left = serializers.IntegerField(source="tile.left")
    top = serializers.IntegerField(source="tile.top")
    width = serializers.IntegerField(source="tile.width")
    height = serializers.IntegerField(source="tile.height")
    label = serializers.CharField(  # type: ignore[assignment]
        help_text="The concept's name, else as the import has it."
    )
    probability = serializers.FloatField(help_text="That it shows it, 0 to 1.")
    answers = serializers.IntegerField(help_text="How many people gave about that.")
    imported_by = serializers.IntegerField(
        source="record", allow_null=True, help_text="Null: no import states it, people spoke of it."
    )


class ImageDetailOut(ImageOut):
    """A picture with its boxes, one that shows two things twice, and where its texts come from."""

    boxes = serializers.SerializerMethodField()
    origins = serializers.SerializerMethodField()

    @extend_schema_field(BoxOut(many=True))
    def get_boxes(self, image: Image) -> Any:
        concepts = snapshot_rows.concepts_of(image.project)
        reader = box_beliefs.Reader(image.project, concepts)
        return BoxOut(reader.of([image]).get(image.pk, []), many=True).data

    @extend_schema_field(ProvenanceOut(many=True))
    def get_origins(self, image: Image) -> Any:
        return ProvenanceOut(provenance.of_image(image), many=True).data

    class Meta(ImageOut.Meta):
        fields = [*ImageOut.Meta.fields, "boxes", "origins"]
        read_only_fields = fields


class RemoveIn(Body):
    reason = serializers.CharField(
        max_length=removal.REASON_LENGTH, help_text="Why: the history keeps it."
    )


class RemoveManyIn(RemoveIn):
    images = serializers.ListField(
        child=Number(min_value=1, max_value=2**63 - 1),
        min_length=1,
        max_length=REMOVED_AT_ONCE,
        help_text="Their ids. Where one is not of the project, nothing is removed.",
    )


class RemovedOut(serializers.Serializer[Any]):
    """What was removed; the answers are kept for the audit."""

    images = serializers.IntegerField()
    questions = serializers.IntegerField()
    answers = serializers.IntegerField()
    marked = MarkedSnapshotsOut()


@extend_schema_view(
    get=extend_schema(
        operation_id="images_list",
        responses={200: ImageOut(many=True), **errors(400, 401, 403, 404)},
    )
)
class ImageList(views.ListAPIView[Image]):
    """A project's pictures, the newest first."""

    permission_classes = [MAY_REMOVE]
    serializer_class = ImageOut
    pagination_class = NewestFirst
    queries: ClassVar = {"GET": ImageFilters}

    def get_queryset(self) -> Any:
        """Return the pictures, of which the pages are read."""
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        images = image_filters.filtered(project, self.chosen())
        return images.prefetch_related("imported_by__requested_by", "text_source")


@extend_schema_view(
    get=extend_schema(
        operation_id="images_detail", responses={200: ImageDetailOut, **errors(401, 403, 404)}
    )
)
class ImageDetail(views.RetrieveAPIView[Image]):
    """One picture, with its boxes."""

    permission_classes = [MAY_REMOVE]
    queryset = Image.objects.select_related("project", "imported_by__requested_by", "text_source")
    serializer_class = ImageDetailOut


class RemoveImage(APIView):
    permission_classes = [MAY_REMOVE]

    @extend_schema(
        operation_id="images_remove",
        request=RemoveIn,
        responses={200: RemovedOut, **errors(400, 401, 403, 404, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Remove a picture: nobody is asked about it, and its answers count for nothing."""
        image = get_object_or_404(Image.objects.select_related("project"), pk=pk)
        options = RemoveIn(data=request.data)
        options.is_valid(raise_exception=True)
        reason = options.validated_data["reason"]
        removed = removal.remove([image], by=cast(User, request.user), reason=reason)
        return _removed(removed, image.project)


class RemoveImages(APIView):
    permission_classes = [MAY_REMOVE]

    @extend_schema(
        operation_id="images_remove_many",
        request=RemoveManyIn,
        responses={200: RemovedOut, **errors(400, 401, 403, 404, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Remove up to 500 pictures for the same reason; their answers are kept for the audit."""
        project = get_object_or_404(Project, slug=slug)
        given = valid(RemoveManyIn(data=request.data))
        rows = list(project.images.filter(pk__in=given["images"]))
        if unknown := set(given["images"]) - {row.pk for row in rows}:
            sentence = f"The project has no picture {min(unknown)}: nothing was removed."
            raise serializers.ValidationError({"images": [sentence]})
        removed = removal.remove(rows, by=cast(User, request.user), reason=given["reason"])
        return _removed(removed, project)


def _removed(removed: removal.Removal, project: Project) -> Response:
    marked = reissues.consequences(project)
    return Response(RemovedOut({**asdict(removed), "marked": marked}).data)

"""A project's pictures over HTTP: look through them, and remove one."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import provenance, removal
from labeling.access import Capability
from labeling.api.bodies import Body
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.schema import errors
from labeling.images import browsing
from labeling.models import Image, Project

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


class ImageFilters(serializers.Serializer[Any]):
    q = serializers.CharField(
        required=False,
        max_length=200,
        help_text="A keyword, a folder's name, or a part of the path.",
    )
    imported_by = serializers.IntegerField(
        required=False, min_value=1, max_value=2**63 - 1, help_text="The import that brought them."
    )

    vendor = serializers.CharField(
        required=False, max_length=200, help_text="From whom they, or a text of theirs, come."
    )
    batch = serializers.CharField(
        required=False, max_length=200, help_text="The vendor's name for their import."
    )


class RemoveIn(Body):
    reason = serializers.CharField(
        max_length=removal.REASON_LENGTH, help_text="Why: the history keeps it."
    )


class RemovedOut(serializers.Serializer[Any]):
    """What was removed; the answers are kept for the audit."""

    images = serializers.IntegerField()
    questions = serializers.IntegerField()
    answers = serializers.IntegerField()


@extend_schema_view(
    get=extend_schema(
        operation_id="images_list",
        parameters=[ImageFilters],
        responses={200: ImageOut(many=True), **errors(400, 401, 403, 404)},
    )
)
class ImageList(generics.ListAPIView[Image]):
    """A project's pictures, the newest first."""

    permission_classes = [MAY_REMOVE]
    serializer_class = ImageOut
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Image]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        filters = ImageFilters(data=self.request.query_params)
        filters.is_valid(raise_exception=True)
        chosen = filters.validated_data
        origin = {name: chosen.get(name, "") for name in ("vendor", "batch")}
        images = browsing.search(project, words=chosen.get("q", ""), **origin)
        if number := chosen.get("imported_by"):
            images = images.filter(imported_by=number)
        return images.select_related("imported_by__requested_by", "text_source")


@extend_schema_view(
    get=extend_schema(
        operation_id="images_detail", responses={200: ImageOut, **errors(401, 403, 404)}
    )
)
class ImageDetail(generics.RetrieveAPIView[Image]):
    """One picture."""

    permission_classes = [MAY_REMOVE]
    queryset = Image.objects.all()
    serializer_class = ImageOut


class RemoveImage(APIView):
    permission_classes = [MAY_REMOVE]

    @extend_schema(
        operation_id="images_remove",
        request=RemoveIn,
        responses={200: RemovedOut, **errors(400, 401, 403, 404, 413, 415)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Remove a picture: nobody is asked about it, and its answers count for nothing."""
        image = get_object_or_404(Image, pk=pk)
        options = RemoveIn(data=request.data)
        options.is_valid(raise_exception=True)
        reason = options.validated_data["reason"]
        removed = removal.remove([image], by=cast(User, request.user), reason=reason)
        return Response(RemovedOut(removed).data)

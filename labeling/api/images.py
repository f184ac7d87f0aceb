"""A project's pictures over HTTP: look through them, and remove one."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import removal
from labeling.access import Capability
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.schema import errors
from labeling.images import browsing
from labeling.models import Image, Project

MAY_REMOVE = may(
    Capability.VIEW, Capability.MANAGE, models=(Image,), staff_write="labeling.change_project"
)


class ImageOut(serializers.ModelSerializer[Image]):
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


class RemoveIn(serializers.Serializer[Any]):
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
        images = browsing.search(project, words=filters.validated_data.get("q", ""))
        if number := filters.validated_data.get("imported_by"):
            images = images.filter(imported_by=number)
        return images


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

"""Asking by parts over HTTP, for owners; and rectangles on cut pictures, for reviewers."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import gold, parts, tasks
from labeling.access import Capability
from labeling.api.bodies import Body
from labeling.api.fields import Number, Weight, YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.permissions import may
from labeling.api.requests import valid
from labeling.api.review import pair_concept
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.gold.rectangles import MAX
from labeling.models import Image, Project, Question

MAY_CUT = may(
    Capability.VIEW, Capability.MANAGE, models=(Image,), staff_write="labeling.change_project"
)
MAY_DRAW = may(None, Capability.REVIEW, models=(Question,), staff_write="labeling.change_question")


class CuttingOut(serializers.Serializer[Any]):
    asked = serializers.BooleanField(help_text="Whether new pictures are cut.")
    cut = serializers.IntegerField(help_text="Pictures that are asked about by their parts.")
    whole = serializers.IntegerField(help_text="Pictures that are not.")
    small = serializers.IntegerField(help_text="Of them, those too small to be cut.")
    kept_whole = serializers.IntegerField(help_text="Of them, those that somebody chose.")
    left = serializers.IntegerField(help_text="Still to be cut, or to be put back.")
    state = serializers.CharField(help_text="idle, cutting or restoring.")
    total = serializers.IntegerField(help_text="Pictures when that began.")
    done = serializers.IntegerField()
    kept = serializers.IntegerField(help_text="That stayed cut: something is known of their parts.")


class CuttingIn(Body):
    ask = YesOrNo(help_text="Whether pictures are cut: those that are there, and new ones.")
    restore = YesOrNo(
        required=False, default=False, help_text="Whether cut ones are put back where `ask` is no."
    )


class RectangleIn(Body):
    left = Weight(help_text="In pixels of the picture, as all of it.")
    top = Weight()
    width = Weight()
    height = Weight()


class RectanglesIn(Body):
    image = Number(min_value=1, max_value=2**63 - 1, help_text="Its id; a cut one.")
    concept = serializers.CharField(max_length=80, help_text="Its name, or an alias.")
    rectangles = serializers.ListField(
        child=RectangleIn(), max_length=MAX, help_text="Around all that shows it; none: nothing."
    )


class MarkedOut(serializers.Serializer[Any]):
    yes = serializers.IntegerField(help_text="Parts that are gold and show it.")
    no = serializers.IntegerField()
    unclear = serializers.IntegerField(help_text="Barely touched: no gold.")


class Parts(APIView):
    permission_classes = [MAY_CUT]

    @extend_schema(
        operation_id="parts_progress", responses={200: CuttingOut, **errors(401, 403, 404)}
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return how many pictures are asked about by their 4 × 4 parts."""
        project = get_object_or_404(Project, slug=slug)
        return Response(CuttingOut(parts.progress(project)).data)

    @extend_schema(
        operation_id="parts_ask",
        request=CuttingIn,
        responses={200: CuttingOut, **errors(400, 401, 403, 404, 413, 415)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Ask by parts, or no longer; a worker cuts the pictures, or puts them back."""
        project = get_object_or_404(Project, slug=slug)
        wanted = CuttingIn(data=request.data)
        wanted.is_valid(raise_exception=True)
        by, values = cast(User, request.user), wanted.validated_data
        if values["ask"]:
            parts.ask(project=project, by=by)
        else:
            parts.stop(project=project, by=by, restore=values["restore"])
        tasks.cut_pictures_later(project)
        return Response(CuttingOut(parts.progress(project)).data)


class PictureIn(Body):
    cut = YesOrNo(help_text="True: ask about its 4 × 4 parts; false: about all of it.")


class PictureCutOut(serializers.Serializer[Any]):
    cut_into = serializers.IntegerField(allow_null=True, help_text="4, or null: it is whole.")


class PictureParts(APIView):
    permission_classes = [MAY_CUT]

    @extend_schema(
        operation_id="images_parts",
        request=PictureIn,
        responses={200: PictureCutOut, **errors(400, 401, 403, 404, 409)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Ask about one picture by its parts, or as a whole again."""
        image = get_object_or_404(Image.objects.select_related("project"), pk=pk)
        cut = valid(PictureIn(data=request.data))["cut"]
        act = parts.cut_picture if cut else parts.restore_picture
        act(image=image, by=cast(User, request.user))
        image.refresh_from_db()
        return Response({"cut_into": image.cut_into or None})


class Rectangles(APIView):
    permission_classes = [MAY_DRAW]

    @extend_schema(
        operation_id="gold_rectangles",
        request=RectanglesIn,
        responses={200: MarkedOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Make the parts of a cut picture gold by rectangles around what shows the concept."""
        project = get_object_or_404(Project, slug=slug)
        drawn = RectanglesIn(data=request.data)
        drawn.is_valid(raise_exception=True)
        values = drawn.validated_data
        marked = gold.mark_rectangles(
            image=get_object_or_404(project.images, pk=values["image"]),
            concept=pair_concept(project, values["concept"]),
            rectangles=[gold.Rectangle(**each) for each in values["rectangles"]],
            by=cast(User, request.user),
        )
        return Response(MarkedOut(marked).data)

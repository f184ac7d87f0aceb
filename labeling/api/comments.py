"""Flags, remarks and notes over HTTP: annotators flag tiles, reviewers see to it."""

from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import challenges, comments
from labeling.access import Capability
from labeling.api import throttles, views, visitors
from labeling.api.bodies import Body
from labeling.api.challenges import POST_AUTH
from labeling.api.exceptions import NotFound
from labeling.api.fields import Number
from labeling.api.for_visitors import ForVisitors
from labeling.api.idempotency import idempotent
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import Dated, Flag, Id, OneOf
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Comment, Project, Question

MAY = may(
    Capability.VIEW,
    Capability.REVIEW,
    models=(Comment,),
    staff_write="labeling.change_question",
)


class FlagIn(Body):
    kind = serializers.ChoiceField(choices=comments.FLAG_KINDS)
    text = serializers.CharField(
        max_length=comments.LONGEST, required=False, default="", allow_blank=True
    )


class FlaggedOut(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=comments.FLAG_KINDS)


class CommentIn(Body):
    """A flag may go without text, a remark may not."""

    question = Number(min_value=1, max_value=2**63 - 1, help_text="Its id.")
    kind = serializers.ChoiceField(
        choices=comments.REVIEWER_KINDS, required=False, default=Comment.Kind.REMARK.value
    )
    text = serializers.CharField(
        max_length=comments.LONGEST, required=False, default="", allow_blank=True
    )


class CommentOut(serializers.ModelSerializer[Comment]):
    user = serializers.SlugRelatedField[Any]("username", read_only=True)
    resolved_by = serializers.SlugRelatedField[Any]("username", read_only=True)

    class Meta:
        model = Comment
        fields = [
            "id",
            "kind",
            "text",
            "tile",
            "question",
            "user",
            "annotator",
            "created_at",
            "resolved_at",
            "resolved_by",
        ]
        read_only_fields = fields


class CommentFilters(Dated):
    kind = OneOf(choices=Comment.Kind.choices, required=False)
    question = Id(required=False, help_text="Its id.")
    tile = Id(required=False, help_text="Its id.")
    annotator = Id(required=False, help_text="Who said it: an id.")
    resolved = Flag(required=False, help_text="Whether somebody saw to it.")


class FlagTile(ForVisitors):
    throttle_classes = [throttles.Flags]

    @extend_schema(
        operation_id="challenges_flag",
        auth=POST_AUTH,
        request=FlagIn,
        responses={
            200: FlaggedOut,
            201: FlaggedOut,
            **errors(400, 401, 403, 404, 410, 413, 415, 429),
        },
    )
    def post(self, request: Request, token: str, number: int) -> Response:
        """Say what is wrong with a tile of a challenge, to those who review the project.

        Of a text challenge, 1 and 2 are the sentences to choose from, and 3 is the one that they
        are compared with. 201 if it is new; 200 if this annotator said the same of the tile before.
        """
        challenge = challenges.find(token, visitors.known(request))
        serializer = FlagIn(data=request.data)
        serializer.is_valid(raise_exception=True)
        if not comments.shows(challenge, number):
            raise NotFound
        flag, new = comments.flag_challenge(
            challenge=challenge, number=number, **serializer.validated_data
        )
        return Response({"kind": flag.kind}, status=201 if new else 200)


@extend_schema_view(
    get=extend_schema(
        operation_id="comments_list",
        responses={200: CommentOut(many=True), **errors(400, 401, 403, 404)},
    )
)
class CommentList(views.ListAPIView[Comment]):
    """What was said about a project's tiles and questions, the newest first.

    What blocked annotators say is left out.
    """

    permission_classes = [MAY]
    serializer_class = CommentOut
    pagination_class = NewestFirst
    queries: ClassVar = {"GET": CommentFilters}

    def get_queryset(self) -> QuerySet[Comment]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        filters = self.chosen()
        resolved = filters.pop("resolved", None)
        if resolved is not None:
            filters["resolved_at__isnull"] = not resolved
        rows = comments.visible(project).filter(**filters)
        return rows.select_related("user", "resolved_by")

    @extend_schema(
        operation_id="comments_create",
        request=CommentIn,
        responses={200: CommentOut, 201: CommentOut, **errors(400, 401, 403, 404, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Keep a remark about a question (201), or flag its tile (200 if done so before)."""
        serializer = CommentIn(data=request.data)
        serializer.is_valid(raise_exception=True)
        body, by = serializer.validated_data, cast(User, request.user)
        rows = Question.objects.select_related("tile__image", "project")
        question = get_object_or_404(rows, pk=body["question"], project__slug=slug)
        if body["kind"] in Comment.FLAGS:
            comment, new = comments.flag(
                tile=question.tile,
                kind=body["kind"],
                text=body["text"],
                question=question,
                user=by,
            )
        else:
            comment, new = comments.remark(question=question, text=body["text"], by=by), True
        return Response(CommentOut(comment).data, status=201 if new else 200)


class ResolveComment(APIView):
    permission_classes = [MAY]

    @extend_schema(
        operation_id="comments_resolve",
        request=None,
        responses={200: CommentOut, **errors(401, 403, 404)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Say that a flag or remark was seen to. Sent again, it changes nothing."""
        rows = Comment.objects.select_related("project", "question", "tile")
        comment = get_object_or_404(rows, pk=pk)
        comments.resolve(comment=comment, by=cast(User, request.user))
        comment.refresh_from_db()
        return Response(CommentOut(comment).data)

"""Decisions about many questions at once over HTTP, and undoing the last."""

from collections.abc import Mapping
from typing import Any, cast

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import decisions
from labeling.access import Capability
from labeling.api.bodies import Body
from labeling.api.fields import Number
from labeling.api.idempotency import idempotent
from labeling.api.permissions import may
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.decisions import Outcome
from labeling.models import DecisionBatch, Project, Question

STANDINGS = ["", "yes", "no", "gold-yes", "gold-no"]
MAY_DECIDE = may(
    None, Capability.REVIEW, models=(Question,), staff_write="labeling.change_question"
)


class SeenQuestion(Body):
    question = Number(min_value=1, max_value=2**63 - 1, help_text="Its id.")
    seen = serializers.ChoiceField(
        choices=STANDINGS,
        required=False,
        allow_blank=True,
        allow_null=True,
        default=None,
        help_text="Its `standing` when you looked: if it is another by now, the question is left "
        "as it is. Null: decide it in any case.",
    )


class DecisionsIn(Body):
    decision = serializers.ChoiceField(choices=DecisionBatch.Choice.choices)
    questions = serializers.ListField(
        child=SeenQuestion(), min_length=1, max_length=decisions.AT_ONCE
    )


class RefusedOut(serializers.Serializer[Any]):
    question = serializers.IntegerField(help_text="Its id.")
    reason = serializers.CharField()


class DecisionsOut(serializers.Serializer[Any]):
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField(help_text="That were so before.")
    refused = RefusedOut(many=True)
    batch = serializers.IntegerField(allow_null=True, help_text="Its id, by which to undo it.")


class DecideMany(APIView):
    permission_classes = [MAY_DECIDE]

    @extend_schema(
        operation_id="decisions_create",
        request=DecisionsIn,
        responses={200: DecisionsOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Decide, reopen or use as gold up to 500 questions, in one transaction.

        Those that cannot be decided so are left as they are, each with its reason.
        """
        project = get_object_or_404(Project, slug=slug)
        serializer = DecisionsIn(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        outcome = decisions.decide_many(
            project=project,
            choice=given["decision"],
            seen={each["question"]: each["seen"] for each in given["questions"]},
            by=cast(User, request.user),
        )
        return Response(_data(outcome))


class UndoDecisions(APIView):
    permission_classes = [MAY_DECIDE]

    @extend_schema(
        operation_id="decisions_undo",
        request=None,
        responses={200: DecisionsOut, **errors(401, 403, 404, 409)},
    )
    @idempotent
    def post(self, request: Request, slug: str, batch: int) -> Response:
        """Undo your last decision about many questions, but for those changed since."""
        rows = DecisionBatch.objects.select_related("project")
        row = get_object_or_404(rows, pk=batch, project__slug=slug, user=request.user.pk)
        return Response(_data(decisions.undo(batch=row, by=cast(User, request.user))))


def _data(outcome: Outcome) -> Mapping[str, Any]:
    return {
        "changed": outcome.changed,
        "unchanged": outcome.unchanged,
        "refused": [
            {"question": pk, "reason": reason} for pk, reason in sorted(outcome.refused.items())
        ],
        "batch": outcome.batch and outcome.batch.pk,
    }

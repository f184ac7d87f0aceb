"""What rules what out over HTTP: what answers have shown of a concept, and what owners say."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import exclusion_rules
from labeling.access import Capability
from labeling.api.bodies import Body
from labeling.api.fields import Number, YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.permissions import may
from labeling.api.requests import valid
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Concept

MAY_SAY = may(
    Capability.VIEW,
    Capability.MANAGE,
    models=(Concept,),
    staff_write="labeling.change_concept",
    staff_delete="labeling.change_concept",
)


class StatedOut(serializers.Serializer[Any]):
    concept = serializers.IntegerField(source="concept.pk", help_text="The other concept's id.")
    name = serializers.CharField(source="concept.name")
    together = serializers.BooleanField(help_text="Whether one picture can show both.")
    by_owner = serializers.SerializerMethodField(
        help_text="Whether an owner said so; else answers have shown it."
    )

    def get_by_owner(self, stated: exclusion_rules.Stated) -> bool:
        return stated.rule is not None


class StatedIn(Body):
    concept = Number(min_value=1, help_text="The other concept's id, of the same project.")
    together = YesOrNo(help_text="Whether one picture can show both, whatever answers show.")


class ConceptExclusions(APIView):
    """What is held of a concept and others in one picture."""

    permission_classes = [MAY_SAY]

    @extend_schema(
        operation_id="exclusions_list",
        responses={200: StatedOut(many=True), **errors(401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> Response:
        """List the concepts that it rules out, and what owners say of it and others."""
        concept = get_object_or_404(Concept.objects.select_related("project"), pk=pk)
        return Response(StatedOut(exclusion_rules.stated(concept), many=True).data)

    @extend_schema(
        operation_id="exclusions_state",
        request=StatedIn,
        responses={200: StatedOut(many=True), **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Say whether one picture can show both; labels follow with the next recomputation."""
        concept = get_object_or_404(Concept.objects.select_related("project"), pk=pk)
        said = valid(StatedIn(data=request.data))
        other = get_object_or_404(Concept, pk=said["concept"], project=concept.project_id)
        by = cast(User, request.user)
        exclusion_rules.state(concept=concept, other=other, together=said["together"], by=by)
        return Response(StatedOut(exclusion_rules.stated(concept), many=True).data)


class ConceptExclusion(APIView):
    permission_classes = [MAY_SAY]

    @extend_schema(
        operation_id="exclusions_take_back",
        responses={204: None, **errors(401, 403, 404, 409)},
    )
    def delete(self, request: Request, pk: int, other: int) -> Response:
        """Take back what was said of two concepts: answers show it again."""
        concept = get_object_or_404(Concept.objects.select_related("project"), pk=pk)
        partner = get_object_or_404(Concept, pk=other, project=concept.project_id)
        by = cast(User, request.user)
        exclusion_rules.take_back(concept=concept, other=partner, by=by)
        return Response(status=status.HTTP_204_NO_CONTENT)

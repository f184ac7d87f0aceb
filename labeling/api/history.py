"""A project's history over HTTP."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import access, history
from labeling.access import Capability
from labeling.api.permissions import may
from labeling.api.schema import errors
from labeling.models import Event, Project

MAY_VIEW = may(Capability.VIEW, models=(Project, Event))
PAGE = 100  # events


class EventOut(serializers.ModelSerializer[Event]):
    class Meta:
        model = Event
        fields = ["id", "kind", "actor", "message", "object_type", "object_id", "created_at"]
        read_only_fields = fields


class HistoryFilters(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Event.Kind.choices, required=False)
    actor = serializers.CharField(
        max_length=150, required=False, help_text="A user name; Tessera is what happened by itself."
    )
    before = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, help_text="An id: those before it."
    )


class History(APIView):
    permission_classes = [MAY_VIEW]

    @extend_schema(
        operation_id="events_list",
        parameters=[HistoryFilters],
        responses={200: EventOut(many=True), **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List what happened in a project, the newest first, a hundred at most.

        What concerns single annotators is shown to reviewers only.
        """
        project = get_object_or_404(Project, slug=slug)
        query = HistoryFilters(data=request.query_params)
        query.is_valid(raise_exception=True)
        filters = history.Filters(
            kind=query.validated_data.get("kind", ""),
            actor=query.validated_data.get("actor", ""),
            annotators=access.may(request.user, project, Capability.REVIEW),
        )
        before = query.validated_data.get("before")
        events = history.events(project, filters, before=before, count=PAGE)
        return Response(EventOut(list(events), many=True).data)

"""A project's history over HTTP."""

from typing import ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import access, history
from labeling.access import Capability
from labeling.api.pagination import Forward
from labeling.api.permissions import may
from labeling.api.queries import OneOf, Query
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Event, Project

MAY_VIEW = may(Capability.VIEW, models=(Project, Event))


class EventOut(serializers.ModelSerializer[Event]):
    class Meta:
        model = Event
        fields = ["id", "kind", "actor", "message", "object_type", "object_id", "created_at"]
        read_only_fields = fields


class HistoryFilters(Query):
    kind = OneOf(choices=Event.Kind.choices, required=False)
    actor = serializers.CharField(
        max_length=150, required=False, help_text="A user name; Tessera is what happened by itself."
    )


class History(APIView):
    permission_classes = [MAY_VIEW]
    pagination_class = Forward
    queries: ClassVar = {"GET": HistoryFilters}

    @extend_schema(
        operation_id="events_list",
        responses={200: EventOut(many=True), **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List what happened in a project, the newest first.

        What concerns single annotators is shown to reviewers only.
        """
        project = get_object_or_404(Project, slug=slug)
        query = self.chosen()
        filters = history.Filters(
            kind=query.get("kind", ""),
            actor=query.get("actor", ""),
            annotators=access.may(request.user, project, Capability.REVIEW),
        )
        pages = Forward()
        before, size = pages.number(request) or None, pages.get_page_size(request)
        found = list(history.events(project, filters, before=before, count=size + 1))
        cursor = found[size - 1].pk if found[size:] else None
        return Response(pages.body(request, EventOut(found[:size], many=True).data, cursor))

"""What differs between two snapshots, over HTTP, for members and staff."""

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import snapshot_difference, tasks
from labeling.api.exceptions import NotFound
from labeling.api.queries import OneOf, Query, WholeNumber
from labeling.api.schema import errors
from labeling.api.snapshots import MAY_VIEW
from labeling.api.views import APIView
from labeling.models import Snapshot
from labeling.snapshot_difference import Difference, Filters
from labeling.snapshot_folder import SPLITS, SnapshotError

POSITION_MAX = 2**53 - 1


class DifferenceIn(Query):
    kind = OneOf(
        snapshot_difference.KINDS, required=False, help_text="What became of the pictures."
    )
    split = OneOf(SPLITS, required=False)
    concept = serializers.CharField(
        required=False, max_length=80, help_text="One whose label changed."
    )
    after = WholeNumber(
        required=False, max_value=POSITION_MAX, default=0, help_text="As in `next`; 0 begins."
    )


class SplitsOut(serializers.Serializer[Any]):
    """The split that a picture was in, and is in now; null where it is not there."""

    def get_fields(self) -> dict[str, Any]:
        return {name: serializers.CharField(allow_null=True) for name in ("from", "to")}


class LabelChangeOut(serializers.Serializer[Any]):
    """A label that changed: yes, in part, no or absent."""

    def get_fields(self) -> dict[str, Any]:
        return {
            "concept": serializers.CharField(),
            "from": serializers.CharField(),
            "from_confidence": serializers.FloatField(allow_null=True),
            "to": serializers.CharField(),
            "to_confidence": serializers.FloatField(allow_null=True),
        }


class CaptionOut(serializers.Serializer[Any]):
    text = serializers.CharField()
    confidence = serializers.FloatField()
    source = serializers.CharField()  # type: ignore[assignment]
    provenance = serializers.IntegerField()


class CaptionsOut(serializers.Serializer[Any]):
    added = CaptionOut(many=True)
    removed = CaptionOut(many=True)


class ChangeOut(serializers.Serializer[Any]):
    file_name = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.ChoiceField(snapshot_difference.KINDS)
    split = SplitsOut()
    labels = LabelChangeOut(many=True)
    captions = CaptionsOut()
    columns = serializers.ListField(
        child=serializers.CharField(), help_text="Others that changed, such as tags."
    )


class DifferenceOut(serializers.Serializer[Any]):
    totals = serializers.DictField(
        help_text="Pictures by what became of them, in all and by split; labels by split, "
        "concept, from and to; captions added and removed. They add up to what the second holds."
    )
    next = serializers.CharField(
        allow_null=True, help_text="The address of the next page; null: this is the last."
    )
    results = ChangeOut(many=True)


class WaitOut(serializers.Serializer[Any]):
    detail = serializers.CharField()


class SnapshotDifference(APIView):
    permission_classes = [MAY_VIEW]
    queries: ClassVar = {"GET": DifferenceIn}

    @extend_schema(
        operation_id="snapshots_difference",
        responses={200: DifferenceOut, 202: WaitOut, **errors(400, 401, 403, 404, 409, 503)},
    )
    def get(self, request: Request, pk: int, other: int) -> Response:
        """Return what became of the pictures of a snapshot in another one of the same project.

        202: a worker compares them, since they are large, or still freezes one; ask again.
        """
        first, second = (get_object_or_404(Snapshot, pk=each) for each in (pk, other))
        if first.project_id != second.project_id:
            raise NotFound
        query = self.chosen()
        difference = _difference(first, second)
        if difference is None:
            wait = {"detail": "A worker is at it: ask again in a few seconds."}
            return Response(wait, status=status.HTTP_202_ACCEPTED, headers={"Retry-After": "5"})
        return Response(_page(request, difference, query))


def _difference(first: Snapshot, second: Snapshot) -> Difference | None:
    """Return what differs; None: a worker is at it. Raises SnapshotError where one failed."""
    states = {first.state, second.state}
    if Snapshot.State.FAILED in states:
        raise SnapshotError("One of the snapshots failed: it holds nothing.")
    return None if Snapshot.State.FREEZING in states else tasks.difference_of(first, second)


def _page(request: Request, difference: Difference, query: dict[str, Any]) -> dict[str, Any]:
    chosen = {name: query[name] for name in ("kind", "split", "concept") if query.get(name)}
    page = difference.page(after=query["after"], filters=Filters(**chosen))
    following = None
    if page.after is not None:
        address = f"{request.path}?{urlencode({**chosen, 'after': page.after})}"
        following = request.build_absolute_uri(address)
    return {"totals": difference.totals, "next": following, "results": page.changes}

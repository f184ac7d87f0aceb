"""Those who answer: how reliable they are, what they mistake, and whether they count. For staff."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling import annotators, review
from labeling.annotators import Record
from labeling.api.pagination import ById
from labeling.api.permissions import may
from labeling.api.serializers import ErrorOut
from labeling.models import Annotator

CHANGE_ANNOTATOR = may("labeling.change_annotator")


class ConfusionOut(serializers.Serializer[Any]):
    """Answers by what is so and what was said, and the shares that are right."""

    yes_yes = serializers.FloatField(help_text="It is so, and they said yes.")
    yes_no = serializers.FloatField(help_text="It is so, and they said no.")
    no_no = serializers.FloatField()
    no_yes = serializers.FloatField()
    sensitivity = serializers.FloatField(
        allow_null=True, help_text="Share of yes where it is so; null without such."
    )
    specificity = serializers.FloatField(
        allow_null=True, help_text="Share of no where it is not so; null without such."
    )


class RecordOut(serializers.Serializer[Any]):
    """What the newest answers show, up to a thousand of them."""

    answers = serializers.IntegerField()
    timed = serializers.IntegerField(help_text="Those whose seconds are known.")
    seconds = serializers.FloatField(
        allow_null=True, help_text="Median for a tile; a challenge's are shared among its tiles."
    )
    confusion = ConfusionOut(help_text="By what is believed now: expected counts.")
    gold = ConfusionOut(help_text="By known truth alone: counts.")


class IntervalOut(serializers.Serializer[Any]):
    low = serializers.FloatField(help_text="Of the 90 % interval.")
    high = serializers.FloatField()


class AnnotatorOut(serializers.ModelSerializer[Annotator]):
    name = serializers.CharField(source="__str__", read_only=True)
    reliability_interval = serializers.SerializerMethodField()
    record = serializers.SerializerMethodField()

    class Meta:
        model = Annotator
        fields = [
            "id",
            "name",
            "blocked",
            "suspect_since",
            "reliability",
            "reliability_interval",
            "answers_count",
            "labels_count",
            "gold_count",
            "gold_right",
            "record",
            "created_at",
            "seen_at",
        ]
        read_only_fields = fields

    @extend_schema_field(IntervalOut)
    def get_reliability_interval(self, annotator: Annotator) -> dict[str, float]:
        _, low, high = annotators.reliability(annotator)
        return {"low": low, "high": high}

    @extend_schema_field(RecordOut)
    def get_record(self, annotator: Annotator) -> dict[str, Any]:
        known: dict[int, Record] = self.context.get("records") or annotators.records([annotator])
        return dict(RecordOut(known[annotator.pk]).data)


class BlockedOut(serializers.Serializer[Any]):
    annotator = AnnotatorOut()
    changed = serializers.IntegerField(
        help_text="Labels that are others now; of many answers, by the newest."
    )


class AnnotatorsWanted(serializers.Serializer[Any]):
    suspect = serializers.BooleanField(
        required=False,
        allow_null=True,
        default=None,
        help_text="True: only whom a reviewer should look at, as their answers turned bad or "
        "their interval of reliability lies below .6; they are not blocked yet.",
    )


@extend_schema_view(
    get=extend_schema(operation_id="annotators_list", parameters=[AnnotatorsWanted])
)
class Annotators(generics.ListAPIView[Annotator]):
    """Those who answer, and how reliable they are."""

    serializer_class = AnnotatorOut
    pagination_class = ById
    records: dict[int, Record] | None = None

    def get_queryset(self) -> QuerySet[Annotator]:
        found = Annotator.objects.select_related("user")
        wanted = AnnotatorsWanted(data=self.request.query_params)
        wanted.is_valid(raise_exception=True)
        if wanted.validated_data["suspect"]:
            found = found.filter(pk__in=[one.pk for one in annotators.suspects()])
        return found

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        """Looks up the records of a page's annotators at once."""
        page = super().paginate_queryset(queryset)
        self.records = annotators.records(page or [])
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "records": self.records}


@extend_schema_view(get=extend_schema(operation_id="annotators_one"))
class OneAnnotator(generics.RetrieveAPIView[Annotator]):
    """One of them."""

    queryset = Annotator.objects.select_related("user")
    serializer_class = AnnotatorOut


class Block(APIView):
    permission_classes = [CHANGE_ANNOTATOR]

    @extend_schema(
        operation_id="annotators_block",
        request=None,
        responses={200: BlockedOut, (403, 404): ErrorOut},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let their answers weigh nothing."""
        annotator = get_object_or_404(Annotator, pk=pk)
        changed = review.block(annotator=annotator, by=cast(User, request.user))
        return Response(BlockedOut({"annotator": annotator, "changed": changed}).data)


class Unblock(APIView):
    permission_classes = [CHANGE_ANNOTATOR]

    @extend_schema(
        operation_id="annotators_unblock",
        request=None,
        responses={200: BlockedOut, (403, 404): ErrorOut},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let their answers count again."""
        annotator = get_object_or_404(Annotator, pk=pk)
        changed = review.unblock(annotator=annotator, by=cast(User, request.user))
        return Response(BlockedOut({"annotator": annotator, "changed": changed}).data)

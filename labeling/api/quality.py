"""Quality over HTTP, for members and staff: agreement, calibration, and the history of both."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import advice, project_stats
from labeling.access import Capability
from labeling.api import views
from labeling.api.pagination import Forward, NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import Moment, Query
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Project, QualityReport, Question

MAY_VIEW = may(Capability.VIEW, models=(Project, Question))


class StatsOut(serializers.Serializer[Any]):
    answers = serializers.IntegerField()
    compared = serializers.IntegerField(
        help_text="Questions with two answers or more: alpha and percent rest on them."
    )
    alpha = serializers.FloatField(allow_null=True, help_text="Krippendorff's.")
    low = serializers.FloatField(allow_null=True, help_text="Of its 95 % interval.")
    high = serializers.FloatField(allow_null=True)
    percent = serializers.FloatField(allow_null=True, help_text="Agreeing pairs, 0 to 1.")
    prevalence = serializers.FloatField(allow_null=True, help_text="Share of yes, 0 to 1.")


class AgreementOut(StatsOut):
    concept = serializers.CharField(source="concept.name")
    questions = serializers.IntegerField()
    settled = serializers.IntegerField()
    open = serializers.IntegerField()
    ambiguous = serializers.IntegerField()
    advice = serializers.CharField(
        allow_null=True, help_text="What would help its labels most; null: nothing is needed."
    )


class ConceptStatsOut(StatsOut):
    concept = serializers.IntegerField(help_text="Its id.")
    name = serializers.CharField()


class ReliabilityOut(serializers.Serializer[Any]):
    n = serializers.IntegerField()
    confidence = serializers.FloatField(help_text="Mean confidence of the labels.")
    accuracy = serializers.FloatField(
        help_text="Share of right labels; an estimate may by chance lie beyond 0 or 1."
    )
    low = serializers.FloatField(help_text="Of its 95 % interval.")
    high = serializers.FloatField()


class BinOut(serializers.Serializer[Any]):
    at_least = serializers.FloatField()
    below = serializers.FloatField(help_text="1 is in the last bin.")
    reliability = ReliabilityOut()


class CalibrationOut(serializers.Serializer[Any]):
    whole = ReliabilityOut()
    bins = BinOut(many=True)
    ece = serializers.FloatField(help_text="Expected calibration error.")
    chance = serializers.FloatField(help_text="What it would be by chance alone.")
    brier = serializers.FloatField()


class LabelAccuracyOut(serializers.Serializer[Any]):
    concept = serializers.IntegerField(allow_null=True, help_text="Its id; null: all concepts.")
    name = serializers.CharField()
    labels = serializers.IntegerField(
        help_text="That people answered about; without gold, and what a reviewer decided."
    )
    covered = serializers.IntegerField(
        help_text="Labels of which it speaks: those like which enough were judged."
    )
    judged = serializers.IntegerField(help_text="Gold questions, or answers, that judged them.")
    by = serializers.ChoiceField(choices=["gold", "answers"])
    accuracy = serializers.FloatField(
        allow_null=True, help_text="Share of right labels; null: too few were judged."
    )
    low = serializers.FloatField(allow_null=True, help_text="Of its 95 % interval.")
    high = serializers.FloatField(allow_null=True)


class AccuraciesOut(serializers.Serializer[Any]):
    whole = LabelAccuracyOut()
    concepts = LabelAccuracyOut(many=True)


class QualityReportOut(serializers.ModelSerializer[QualityReport]):
    concepts = ConceptStatsOut(many=True)
    gold = CalibrationOut(allow_null=True, help_text="By gold, as if it were unknown.")
    random = CalibrationOut(
        allow_null=True, help_text="By answers to questions that were drawn at random."
    )
    accuracy = AccuraciesOut(allow_null=True, help_text="How often labels are right.")

    class Meta:
        model = QualityReport
        fields = [
            "id",
            "measured_at",
            "answers",
            "compared",
            "alpha",
            "low",
            "high",
            "percent",
            "prevalence",
            "concepts",
            "gold",
            "random",
            "accuracy",
        ]
        read_only_fields = fields


class Agreement(APIView):
    permission_classes = [MAY_VIEW]
    pagination_class = Forward

    @extend_schema(
        operation_id="agreement",
        responses={200: AgreementOut(many=True), **errors(401, 403, 404)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """Measure how far people agree now, by concept."""
        project = get_object_or_404(Project, slug=slug)
        pages = Forward()
        rows, cursor = pages.part(request, project_stats.agreement(project)["concepts"])
        annotators = project_stats.progress(project).people
        help_ = advice.of_concepts(project, rows, annotators=annotators)
        rows = [
            row | {"advice": found.text if (found := help_[row["concept"]["id"]]) else None}
            for row in rows
        ]
        return Response(pages.body(request, AgreementOut(rows, many=True).data, cursor))


class ReportFilters(Query):
    since = Moment(source="measured_at__gte", required=False, help_text="Measured then or later.")
    until = Moment(source="measured_at__lt", required=False, help_text="Measured before.")


@extend_schema_view(
    get=extend_schema(
        operation_id="quality_reports_list",
        responses={200: QualityReportOut(many=True), **errors(401, 403, 404)},
    )
)
class QualityReportList(views.ListAPIView[QualityReport]):
    """Agreement in the project and on each concept, and how often labels are right.

    The newest first; older ones are at least an hour apart.
    """

    permission_classes = [MAY_VIEW]
    serializer_class = QualityReportOut
    pagination_class = NewestFirst
    queries: ClassVar = {"GET": ReportFilters}

    def get_queryset(self) -> QuerySet[QualityReport]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        return project.quality_reports.filter(**self.chosen())

"""Annotators over HTTP, for staff: reliability, confusion, and whether their answers count."""

from dataclasses import asdict
from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import annotators, project_annotators, project_stats, reissues, review, withdrawals
from labeling.access import Capability
from labeling.annotators import Record
from labeling.api import views
from labeling.api.exceptions import NotFound
from labeling.api.marked import MarkedSnapshotsOut
from labeling.api.pagination import ById
from labeling.api.permissions import may
from labeling.api.queries import Flag, Moment, Query, WholeNumber
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Annotator, Project, SuspectSpell

MAY_REVIEW = may(Capability.REVIEW, Capability.REVIEW, models=(Annotator,))
MAY_WITHDRAW = may(
    Capability.MANAGE,
    Capability.MANAGE,
    models=(Annotator,),
    staff_write="labeling.change_project",
)
MAY_VIEW = may(None, models=(Annotator,))
MAY_CHANGE = may(None, models=(Annotator,), staff_write="labeling.change_annotator")


class ConfusionOut(serializers.Serializer[Any]):
    """Answers by truth and by what was answered, and the shares that are right."""

    true_positives = serializers.FloatField(help_text="The truth is yes, the answer yes.")
    false_negatives = serializers.FloatField(help_text="The truth is yes, the answer no.")
    true_negatives = serializers.FloatField()
    false_positives = serializers.FloatField()
    sensitivity = serializers.FloatField(
        allow_null=True, help_text="Share of yes where the truth is yes; null where it never is."
    )
    specificity = serializers.FloatField(
        allow_null=True, help_text="Share of no where the truth is no; null where it never is."
    )


class RecordOut(serializers.Serializer[Any]):
    """What an annotator's newest answers show, up to a thousand of them."""

    answers = serializers.IntegerField()
    timed = serializers.IntegerField(help_text="Answers whose seconds are known.")
    seconds = serializers.FloatField(
        allow_null=True,
        help_text="Median for a tile: the time for a challenge is shared among its tiles.",
    )
    confusion = ConfusionOut(help_text="Expected counts under the current posteriors.")
    gold = ConfusionOut(help_text="Counts on gold questions alone.")


class IntervalOut(serializers.Serializer[Any]):
    low = serializers.FloatField(help_text="Of the 90 % interval.")
    high = serializers.FloatField()


class SuspectSpellOut(serializers.ModelSerializer[SuspectSpell]):
    """A time in which answers were bad and weigh nothing: those with start <= id < stop."""

    class Meta:
        model = SuspectSpell
        fields = ["start", "stop", "started_at", "ended_at"]
        read_only_fields = fields


class AnnotatorOut(serializers.ModelSerializer[Annotator]):
    name = serializers.CharField(source="__str__", read_only=True)
    reliability_interval = serializers.SerializerMethodField()
    suspect_spells = SuspectSpellOut(many=True, read_only=True)
    record = serializers.SerializerMethodField()

    class Meta:
        model = Annotator
        fields = [
            "id",
            "name",
            "blocked",
            "suspect_since",
            "suspect_spells",
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
        records: dict[int, Record] = self.context.get("records") or annotators.records([annotator])
        return dict(RecordOut(records[annotator.pk]).data)


class BlockedOut(serializers.Serializer[Any]):
    annotator = AnnotatorOut()
    changed = serializers.IntegerField(
        help_text="Labels that changed at once, by the newest answers; the others follow."
    )


class AnnotatorFilters(Query):
    name = serializers.CharField(
        max_length=150, required=False, help_text="How their user name or pseudonym begins."
    )
    suspect = Flag(
        required=False,
        help_text="Whether a reviewer should look at them, because their answers turned bad or "
        "their interval of reliability lies below 0.6, and nobody has blocked them.",
    )
    blocked = Flag(required=False, help_text="Whether their answers count no longer.")
    visitors = Flag(
        required=False,
        help_text="Whether they are visitors of sites that embed challenges, one for each attempt "
        "to pass there. They are left out unless this is true.",
    )
    answers_min = WholeNumber(
        source="answers_count__gte", max_value=2**31 - 1, required=False, help_text="In all."
    )
    seen_since = Moment(source="seen_at__gte", required=False, help_text="Then or later.")


def _filtered(
    rows: QuerySet[Annotator], chosen: dict[str, Any], project: Project | None = None
) -> QuerySet[Annotator]:
    """Return those who are chosen; of a project, or of all."""
    rows = rows.filter(site__isnull=not chosen.pop("visitors", False))
    if name := chosen.pop("name", ""):
        rows = rows.filter(Q(pseudonym__startswith=name) | Q(user__username__startswith=name))
    suspect = chosen.pop("suspect", None)
    if suspect is not None:
        listed = Q(pk__in=[each.pk for each in annotators.to_review(project=project)])
        rows = rows.filter(listed if suspect else ~listed)
    return rows.filter(**chosen)


@extend_schema_view(
    get=extend_schema(
        operation_id="annotators_list",
        responses={200: AnnotatorOut(many=True), **errors(400, 401, 403, 404)},
    )
)
class AnnotatorList(views.ListAPIView[Annotator]):
    """Annotators and how reliable they are."""

    permission_classes = [MAY_VIEW]
    serializer_class = AnnotatorOut
    pagination_class = ById
    queries: ClassVar = {"GET": AnnotatorFilters}
    records: dict[int, Record] | None = None

    def get_queryset(self) -> QuerySet[Annotator]:
        queryset = Annotator.objects.select_related("user").prefetch_related("suspect_spells")
        return _filtered(queryset, self.chosen())

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        """Look up the records of a page's annotators at once."""
        page = super().paginate_queryset(queryset)
        self.records = annotators.records(page or [])
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "records": self.records}


@extend_schema_view(
    get=extend_schema(
        operation_id="annotators_detail",
        responses={200: AnnotatorOut, **errors(401, 403, 404)},
    )
)
class AnnotatorDetail(views.RetrieveAPIView[Annotator]):
    """One annotator."""

    permission_classes = [MAY_VIEW]
    queryset = Annotator.objects.select_related("user")
    serializer_class = AnnotatorOut


class BlockAnnotator(APIView):
    permission_classes = [MAY_CHANGE]

    @extend_schema(
        operation_id="annotators_block",
        request=None,
        responses={200: BlockedOut, **errors(401, 403, 404)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let an annotator's answers count no longer."""
        annotator = get_object_or_404(Annotator, pk=pk)
        changed = review.block(annotator=annotator, by=cast(User, request.user))
        project_stats.forget_all()
        return Response(BlockedOut({"annotator": annotator, "changed": changed}).data)


class UnblockAnnotator(APIView):
    permission_classes = [MAY_CHANGE]

    @extend_schema(
        operation_id="annotators_unblock",
        request=None,
        responses={200: BlockedOut, **errors(401, 403, 404)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Let an annotator's answers count again."""
        annotator = get_object_or_404(Annotator, pk=pk)
        changed = review.unblock(annotator=annotator, by=cast(User, request.user))
        project_stats.forget_all()
        return Response(BlockedOut({"annotator": annotator, "changed": changed}).data)


class ProjectAnnotatorOut(serializers.Serializer[Any]):
    """An annotator, with what they did in one project."""

    id = serializers.IntegerField(source="annotator.pk")
    name = serializers.CharField(source="annotator.__str__")
    blocked = serializers.BooleanField(source="annotator.blocked")
    suspect_since = serializers.DateTimeField(source="annotator.suspect_since", allow_null=True)
    reliability = serializers.FloatField(
        source="annotator.reliability", help_text="Over all projects."
    )
    answers = serializers.IntegerField(help_text="In the project; 10,001 is that or more.")
    gold = serializers.IntegerField(help_text="Gold questions of the project that they answered.")
    gold_right = serializers.IntegerField()
    first_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)


@extend_schema_view(
    get=extend_schema(
        operation_id="project_annotators_list",
        responses={200: ProjectAnnotatorOut(many=True), **errors(401, 403, 404)},
    )
)
class ProjectAnnotatorList(views.ListAPIView[Annotator]):
    """Those who answered in a project."""

    permission_classes = [MAY_REVIEW]
    serializer_class = ProjectAnnotatorOut
    pagination_class = ById
    queries: ClassVar = {"GET": AnnotatorFilters}

    def get_queryset(self) -> QuerySet[Annotator]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        chosen = self.chosen()
        only = "visitors" if chosen.get("visitors") else ""
        return _filtered(project_annotators.listing(project, only=only), chosen, project)

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        """Count what each annotator of a page did in the project at once."""
        page = super().paginate_queryset(queryset)
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        return list(project_annotators.with_counts(page or [], project))


class ProjectAnnotatorDetailOut(ProjectAnnotatorOut):
    reliability_interval = IntervalOut()
    suspect_spells = SuspectSpellOut(many=True)
    record = RecordOut(help_text="In the project.")


class ProjectAnnotatorDetail(APIView):
    permission_classes = [MAY_REVIEW]

    @extend_schema(
        operation_id="project_annotators_detail",
        responses={200: ProjectAnnotatorDetailOut, **errors(401, 403, 404)},
    )
    def get(self, request: Request, slug: str, annotator: int) -> Response:
        """Return what somebody did in a project, against what is true. See also its answers."""
        project, who = _found(slug, annotator)
        (row,) = project_annotators.with_counts([who], project)
        _, low, high = annotators.reliability(who)
        data = ProjectAnnotatorOut(row).data | {
            "reliability_interval": IntervalOut({"low": low, "high": high}).data,
            "suspect_spells": SuspectSpellOut(who.suspect_spells, many=True).data,
            "record": RecordOut(annotators.records([who], project=project)[who.pk]).data,
        }
        return Response(data)


class BlockProjectAnnotator(APIView):
    permission_classes = [MAY_REVIEW]

    @extend_schema(
        operation_id="project_annotators_block",
        request=None,
        responses={200: BlockedOut, **errors(401, 403, 404, 409)},
    )
    def post(self, request: Request, slug: str, annotator: int) -> Response:
        """Block somebody who answered here, in all projects.

        409 where they answered in projects that are not yours to review: staff decide then.
        """
        return _set_blocked(request, slug, annotator, blocked=True)


class UnblockProjectAnnotator(APIView):
    permission_classes = [MAY_REVIEW]

    @extend_schema(
        operation_id="project_annotators_unblock",
        request=None,
        responses={200: BlockedOut, **errors(401, 403, 404, 409)},
    )
    def post(self, request: Request, slug: str, annotator: int) -> Response:
        """Let the answers of somebody who answered here count again, in all projects."""
        return _set_blocked(request, slug, annotator, blocked=False)


class AnnotatorWithdrawnOut(serializers.Serializer[Any]):
    """What was deleted of an annotator in a project, and the snapshots that hold it."""

    answers = serializers.IntegerField()
    captions = serializers.IntegerField()
    marked = MarkedSnapshotsOut()


class WithdrawProjectAnnotator(APIView):
    permission_classes = [MAY_WITHDRAW]

    @extend_schema(
        operation_id="project_annotators_withdraw",
        request=None,
        responses={200: AnnotatorWithdrawnOut, **errors(401, 403, 404)},
    )
    def post(self, request: Request, slug: str, annotator: int) -> Response:
        """Delete all that somebody answered and wrote in this project; labels follow."""
        project, who = _found(slug, annotator)
        withdrawn = withdrawals.withdraw_all(
            annotator=who,
            project=project,
            reason=withdrawals.Reason.REMOVED,
            by=cast(User, request.user),
        )
        marked = reissues.consequences(project)
        return Response(AnnotatorWithdrawnOut({**asdict(withdrawn), "marked": marked}).data)


def _set_blocked(request: Request, slug: str, pk: int, *, blocked: bool) -> Response:
    project, annotator = _found(slug, pk)
    changed = project_annotators.set_blocked(
        project=project, annotator=annotator, blocked=blocked, by=cast(User, request.user)
    )
    return Response(BlockedOut({"annotator": annotator, "changed": changed}).data)


def _found(slug: str, pk: int) -> tuple[Project, Annotator]:
    """Return a project and somebody who answered there. Raises NotFound."""
    project = get_object_or_404(Project, slug=slug)
    annotator = project_annotators.find(project, pk)
    if annotator is None:
        raise NotFound
    return project, annotator

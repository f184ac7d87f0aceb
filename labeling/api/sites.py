"""Sites that embed a project's challenges as their CAPTCHA, over HTTP, for owners."""

from datetime import timedelta
from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import Capability
from labeling.api import views
from labeling.api.bodies import Body
from labeling.api.fields import Number, YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.pagination import ById
from labeling.api.permissions import may
from labeling.api.queries import Flag, OneOf, Query
from labeling.api.requests import valid
from labeling.api.responses import NO_STORE, made
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.captcha import hosts, sites, statistics
from labeling.captcha.statistics import Figures, Period
from labeling.models import Project, Site

MAY = may(
    Capability.MANAGE, Capability.MANAGE, models=(Site,), staff_write="labeling.change_project"
)
PERIODS = [(period.name.lower(), f"{period.steps} steps") for period in Period]


class SiteOut(serializers.ModelSerializer[Site]):
    project = serializers.SlugRelatedField[Any]("slug", read_only=True)

    class Meta:
        model = Site
        fields = [
            "id",
            "project",
            "name",
            "key",
            "hosts",
            "difficulty",
            "daily_quota",
            "fail_open",
            "active",
            "created_at",
        ]
        read_only_fields = fields


class NewSiteOut(SiteOut):
    secret = serializers.CharField(
        help_text="By which the site's server verifies who passed; shown this once."
    )

    class Meta(SiteOut.Meta):
        fields = [*SiteOut.Meta.fields, "secret"]
        read_only_fields = fields


class SiteIn(Body):
    name = serializers.CharField(max_length=sites.NAME_LENGTH, help_text="Visitors see it.")
    hosts = serializers.ListField(
        child=serializers.CharField(max_length=hosts.LONGEST),
        min_length=1,
        max_length=hosts.MOST,
        help_text="Host names on which it may be shown; *.example.com is all below example.com.",
    )
    difficulty = serializers.ChoiceField(choices=Site.Difficulty.choices, required=False)
    daily_quota = Number(
        min_value=1,
        max_value=sites.MOST_A_DAY,
        required=False,
        help_text="Attempts that are begun on a day (UTC) at most; 100,000 by default.",
    )
    fail_open = YesOrNo(
        required=False,
        help_text="Whether everybody passes, bots too, while nothing can be asked.",
    )


class SiteChangeIn(SiteIn):
    name = serializers.CharField(max_length=sites.NAME_LENGTH, required=False)
    hosts = serializers.ListField(
        child=serializers.CharField(max_length=hosts.LONGEST),
        min_length=1,
        max_length=hosts.MOST,
        required=False,
    )
    active = YesOrNo(
        required=False, help_text="While it is off, nothing is asked and no token is valid."
    )


class SiteFilters(Query):
    active = Flag(required=False)


@extend_schema_view(
    get=extend_schema(
        operation_id="sites_list",
        responses={200: SiteOut(many=True), **errors(401, 403, 404)},
    )
)
class SiteList(views.ListAPIView[Site]):
    """The sites that embed a project's challenges as their CAPTCHA."""

    permission_classes = [MAY]
    serializer_class = SiteOut
    pagination_class = ById
    queries: ClassVar = {"GET": SiteFilters}

    def get_queryset(self) -> QuerySet[Site]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        return project.sites.filter(**self.chosen()).select_related("project")

    @extend_schema(
        operation_id="sites_create",
        request=SiteIn,
        responses={201: NewSiteOut, **errors(400, 401, 403, 404, 409)},
    )
    @idempotent(secret="secret")
    def post(self, request: Request, slug: str) -> Response:
        """Let a site embed the project's challenges; its key is for pages, its secret is not."""
        project = get_object_or_404(Project, slug=slug)
        options = valid(SiteIn(data=request.data))
        site, secret = sites.create(project=project, by=cast(User, request.user), **options)
        return made("api-site", site.pk, data=NewSiteOut(_with_secret(site, secret)).data)


class SiteDetail(APIView):
    permission_classes = [MAY]

    @extend_schema(operation_id="sites_detail", responses={200: SiteOut, **errors(401, 403, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """One site."""
        return Response(SiteOut(_site(pk)).data)

    @extend_schema(
        operation_id="sites_change",
        request=SiteChangeIn,
        responses={200: SiteOut, **errors(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Change settings of a site, or switch it off and on."""
        site = _site(pk)
        changes = valid(SiteChangeIn(data=request.data))
        site = sites.change(site=site, by=cast(User, request.user), **changes)
        return Response(SiteOut(site).data)


class SecretIn(Body):
    days = Number(
        min_value=0,
        max_value=sites.LONGEST_OVERLAP.days,
        default=sites.OVERLAP.days,
        help_text="For which the secret before stays valid; 0: it ends at once.",
    )


class SiteSecretOut(serializers.Serializer[Any]):
    secret = serializers.CharField(
        help_text="By which the site's server verifies who passed; shown this once."
    )


class SiteSecret(APIView):
    permission_classes = [MAY]

    @extend_schema(
        operation_id="sites_rotate_secret",
        request=SecretIn,
        responses={200: SiteSecretOut, **errors(400, 401, 403, 404)},
    )
    @idempotent(secret="secret")
    def post(self, request: Request, pk: int) -> Response:
        """Make a new secret. The one before stays valid for a day, or as long as you say."""
        site = _site(pk)
        days = valid(SecretIn(data=request.data))["days"]
        secret = sites.rotate_secret(
            site=site, by=cast(User, request.user), overlap=timedelta(days=days)
        )
        return Response({"secret": secret}, headers={"Cache-Control": NO_STORE})


class EndOldSecrets(APIView):
    permission_classes = [MAY]

    @extend_schema(
        operation_id="sites_end_old_secrets",
        request=None,
        responses={200: SiteOut, **errors(401, 403, 404)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """End at once the secrets that were replaced; the newest one stays."""
        site = _site(pk)
        sites.revoke_old_secrets(site=site, by=cast(User, request.user))
        return Response(SiteOut(site).data)


class ShareOut(serializers.Serializer[Any]):
    share = serializers.FloatField()
    low = serializers.FloatField(help_text="Of the 95 % interval.")
    high = serializers.FloatField()
    n = serializers.IntegerField()


class FiguresOut(serializers.Serializer[Figures]):
    """Counts of attempts that were begun in a time, or through a door."""

    begun = serializers.IntegerField()
    solved = serializers.IntegerField(help_text="Passed by answering, or by the computation.")
    failed = serializers.IntegerField()
    let_through = serializers.IntegerField(
        help_text="Passed unasked, since nothing could be asked."
    )
    left = serializers.IntegerField(help_text="Begun and not ended.")
    verified = serializers.IntegerField(help_text="Of which the site's server asked.")
    suspected = serializers.IntegerField(
        help_text="Answered faster than people can, or as the project's model does."
    )
    suspected_solved = serializers.IntegerField()
    pass_rate = ShareOut(allow_null=True, help_text="Of those who answered to the end.")
    rounds = serializers.IntegerField(help_text="That were answered.")
    rounds_per_pass = serializers.FloatField(allow_null=True)
    rounds_per_suspected_pass = serializers.FloatField(allow_null=True)
    median_seconds = serializers.FloatField(
        allow_null=True, help_text="Of those who passed, for all their rounds, to one per cent."
    )
    seconds_per_pass = serializers.FloatField(
        allow_null=True, help_text="Of all attempts, failed ones too, by passes."
    )
    labels = serializers.IntegerField(help_text="That became certain with the answers.")
    labels_per_100 = serializers.FloatField(allow_null=True, help_text="For 100 passes.")


class StepOut(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text="When it begins.")
    figures = FiguresOut()


class DoorOut(serializers.Serializer[Any]):
    door = serializers.CharField(help_text="grid, text, work or open.")
    figures = FiguresOut()


class StatisticsOut(serializers.Serializer[Any]):
    whole = FiguresOut()
    doors = DoorOut(many=True)
    steps = StepOut(many=True, help_text="The oldest first.")
    since = serializers.DateTimeField(
        allow_null=True,
        help_text="When the oldest step begins that is counted, where there are so many attempts "
        "that older ones are not yet: ask again. Null: all are.",
    )
    is_all = serializers.BooleanField(
        help_text="False where a step has more attempts than the newest half million, which are "
        "counted."
    )


class StatisticsFilters(Query):
    period = OneOf(
        choices=PERIODS,
        required=False,
        help_text="month, by default: 30 days by day (UTC). day: 24 hours by hour.",
    )


class SiteStatistics(APIView):
    permission_classes = [MAY]
    queries: ClassVar = {"GET": StatisticsFilters}

    @extend_schema(
        operation_id="sites_statistics",
        responses={200: StatisticsOut, **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> Response:
        """Return what the visitors of a site did in a period; about a minute old."""
        period = Period[self.chosen().get("period", "month").upper()]
        measured = statistics.measure(_site(pk), period)
        steps = zip(measured.at, measured.by_door, measured.steps, strict=True)
        data = {
            "whole": measured.whole,
            "doors": [
                {"door": door, "figures": figures} for door, figures in measured.doors.items()
            ],
            "steps": [
                {"at": at, "figures": figures} for at, step, figures in steps if step is not None
            ],
            "since": measured.since,
            "is_all": measured.is_all,
        }
        return Response(StatisticsOut(data).data)


def _with_secret(site: Site, secret: str) -> Site:
    site.secret = secret  # type: ignore[attr-defined]
    return site


def _site(pk: int) -> Site:
    return get_object_or_404(Site.objects.select_related("project"), pk=pk)

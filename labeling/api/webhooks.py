"""Webhooks over HTTP, for owners: who is told what, what was sent, and sending it again."""

from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import tasks, webhooks
from labeling.access import Capability
from labeling.api import views
from labeling.api.bodies import Body
from labeling.api.fields import YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.pagination import ById, NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import Dated, Flag, OneOf, Query
from labeling.api.requests import valid
from labeling.api.responses import NO_STORE, made
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Delivery, HookEvent, Project, Webhook

MAY = may(
    Capability.MANAGE, Capability.MANAGE, models=(Webhook,), staff_write="labeling.change_project"
)
OF_DELIVERY = may(
    Capability.MANAGE,
    Capability.MANAGE,
    models=(Delivery,),
    staff_write="labeling.change_project",
    path="webhook__project",
)


class WebhookOut(serializers.ModelSerializer[Webhook]):
    project = serializers.SlugRelatedField[Any]("slug", read_only=True)
    events = serializers.ListField(child=serializers.ChoiceField(choices=HookEvent.choices))

    class Meta:
        model = Webhook
        fields = [
            "id",
            "project",
            "url",
            "events",
            "active",
            "failing_since",
            "off_reason",
            "created_at",
        ]
        read_only_fields = fields


class NewWebhookOut(WebhookOut):
    secret = serializers.CharField(help_text="By which to check signatures; shown this once.")

    class Meta(WebhookOut.Meta):
        fields = [*WebhookOut.Meta.fields, "secret"]
        read_only_fields = fields


class WebhookIn(Body):
    url = serializers.CharField(max_length=500, help_text="https://…, of no private network.")
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=HookEvent.choices),
        min_length=1,
        max_length=len(HookEvent),
        help_text="What it is told of.",
    )


class WebhookChangeIn(WebhookIn):
    url = serializers.CharField(max_length=500, required=False)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=HookEvent.choices),
        min_length=1,
        max_length=len(HookEvent),
        required=False,
    )
    active = YesOrNo(required=False, help_text="What happens while it is off is not told later.")


class DeliveryOut(serializers.ModelSerializer[Delivery]):
    class Meta:
        model = Delivery
        fields = [
            "id",
            "event",
            "uid",
            "body",
            "state",
            "attempts",
            "due_at",
            "status",
            "error",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields


class WebhookFilters(Query):
    active = Flag(required=False)


class DeliveryFilters(Dated):
    state = OneOf(choices=Delivery.State.choices, required=False)
    event = OneOf(choices=[*HookEvent.choices, ("ping", "a test")], required=False)


@extend_schema_view(
    get=extend_schema(
        operation_id="webhooks_list",
        responses={200: WebhookOut(many=True), **errors(401, 403, 404)},
    )
)
class WebhookList(views.ListAPIView[Webhook]):
    """The addresses to which is sent what happens in a project."""

    permission_classes = [MAY]
    serializer_class = WebhookOut
    pagination_class = ById
    queries: ClassVar = {"GET": WebhookFilters}

    def get_queryset(self) -> QuerySet[Webhook]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        return project.webhooks.filter(**self.chosen()).select_related("project")

    @extend_schema(
        operation_id="webhooks_create",
        request=WebhookIn,
        responses={201: NewWebhookOut, **errors(400, 401, 403, 404, 409)},
    )
    @idempotent(secret="secret")
    def post(self, request: Request, slug: str) -> Response:
        """Have an address sent what happens; what it gets is signed as standardwebhooks.com says.

        The headers are webhook-id, webhook-timestamp and webhook-signature. Answer with 2xx within
        ten seconds; else it is sent again for a week, less and less often. 410 switches it off.
        """
        project = get_object_or_404(Project, slug=slug)
        options = valid(WebhookIn(data=request.data))
        hook = webhooks.create(project=project, by=cast(User, request.user), **options)
        return made("api-webhook", hook.pk, data=NewWebhookOut(hook).data)


class WebhookDetail(APIView):
    permission_classes = [MAY]

    @extend_schema(
        operation_id="webhooks_detail", responses={200: WebhookOut, **errors(401, 403, 404)}
    )
    def get(self, request: Request, pk: int) -> Response:
        """One webhook."""
        return Response(WebhookOut(_hook(pk)).data)

    @extend_schema(
        operation_id="webhooks_change",
        request=WebhookChangeIn,
        responses={200: WebhookOut, **errors(400, 401, 403, 404, 409)},
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Change the address or the events, or switch it off and on."""
        changes = valid(WebhookChangeIn(data=request.data))
        hook = webhooks.change(hook=_hook(pk), by=cast(User, request.user), **changes)
        return Response(WebhookOut(hook).data)

    @extend_schema(operation_id="webhooks_delete", responses={204: None, **errors(401, 403, 404)})
    def delete(self, request: Request, pk: int) -> Response:
        """Tell an address nothing any more; its log is deleted, too."""
        webhooks.delete(hook=_hook(pk), by=cast(User, request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)


class SecretOut(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="By which to check signatures; shown this once.")


class WebhookSecret(APIView):
    permission_classes = [MAY]

    @extend_schema(
        operation_id="webhooks_replace_secret",
        request=None,
        responses={200: SecretOut, **errors(401, 403, 404)},
    )
    @idempotent(secret="secret")
    def post(self, request: Request, pk: int) -> Response:
        """Make a new secret. For a day, messages are signed by the old one as well."""
        secret = webhooks.replace_secret(hook=_hook(pk), by=cast(User, request.user))
        return Response({"secret": secret}, headers={"Cache-Control": NO_STORE})


class PingWebhook(APIView):
    permission_classes = [MAY]

    @extend_schema(
        operation_id="webhooks_ping",
        request=None,
        responses={202: DeliveryOut, **errors(401, 403, 404)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Send a test event."""
        delivery = webhooks.ping(hook=_hook(pk))
        tasks.send_later(pk)
        return Response(DeliveryOut(delivery).data, status=status.HTTP_202_ACCEPTED)


@extend_schema_view(
    get=extend_schema(
        operation_id="webhooks_deliveries",
        responses={200: DeliveryOut(many=True), **errors(400, 401, 403, 404)},
    )
)
class DeliveryList(views.ListAPIView[Delivery]):
    """What was sent to an address, and what is to be, the newest first; kept for 30 days."""

    permission_classes = [MAY]
    serializer_class = DeliveryOut
    pagination_class = NewestFirst
    queries: ClassVar = {"GET": DeliveryFilters}

    def get_queryset(self) -> QuerySet[Delivery]:
        return _hook(self.kwargs["pk"]).deliveries.filter(**self.chosen())


class ResendDelivery(APIView):
    permission_classes = [OF_DELIVERY]

    @extend_schema(
        operation_id="deliveries_resend",
        request=None,
        responses={202: DeliveryOut, **errors(401, 403, 404)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Send an event again, under the same webhook-id."""
        delivery = get_object_or_404(Delivery, pk=pk)
        sent = webhooks.resend(delivery=delivery)
        tasks.send_later(delivery.webhook_id)
        return Response(DeliveryOut(sent).data, status=status.HTTP_202_ACCEPTED)


def _hook(pk: int) -> Webhook:
    return get_object_or_404(Webhook.objects.select_related("project"), pk=pk)

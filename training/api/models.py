"""What runs have produced, and each recipe's current model, for members and staff."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import Capability
from labeling.api import views
from labeling.api.bodies import Body
from labeling.api.idempotency import idempotent
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import Dated, Flag
from labeling.api.requests import valid
from labeling.api.schema import errors
from training import promotion, tasks, verdicts
from training.api.errors import ConflictError
from training.models import Model, Promotion

MAY_VIEW = may(Capability.VIEW, models=(Model,))
MAY_CHANGE = may(
    Capability.VIEW, Capability.TRAIN, models=(Model,), staff_write="training.change_model"
)

MAY_LIST_CHANGES = may(Capability.VIEW, models=(Promotion,))
MAY_UNDO = may(None, Capability.TRAIN, models=(Promotion,), staff_write="training.change_model")


class FigureSerializer(serializers.Serializer[Any]):
    """What one judge says, in words."""

    name = serializers.CharField(help_text="What was measured, and by whom.")
    new = serializers.CharField()
    current = serializers.CharField(
        help_text="The baseline's, the image encoder's, or what chance would reach."
    )
    difference = serializers.CharField(help_text="With its 5th to 95th percentile.")
    n = serializers.CharField(help_text="On how many prompts, pictures or answers it rests.")
    says = serializers.CharField()


class ModelSerializer(serializers.ModelSerializer[Model]):
    project = serializers.CharField(source="project.slug", read_only=True)
    metrics = serializers.JSONField(source="run.metrics", read_only=True)
    snapshot_warning = serializers.CharField(
        source="run.snapshot.warning",
        read_only=True,
        default="",
        help_text="Pictures that it was trained on and that were removed since, or empty.",
    )
    snapshot = serializers.IntegerField(source="run.snapshot_id", read_only=True, allow_null=True)
    snapshot_sha256 = serializers.CharField(
        source="run.snapshot.sha256",
        read_only=True,
        default="",
        help_text="Of the snapshot that it was trained on; its folder keeps it as well.",
    )
    standing = serializers.SerializerMethodField(help_text="Current, candidate, …, in words.")
    sentence = serializers.SerializerMethodField(help_text="The verdict in plain words.")
    figures = serializers.SerializerMethodField(help_text="The verdict's figures in words.")

    class Meta:
        model = Model
        fields = [
            "id",
            "project",
            "run",
            "recipe",
            "current",
            "accepted",
            "standing",
            "sentence",
            "figures",
            "verdict",
            "reviewed_at",
            "metrics",
            "feedback",
            "snapshot",
            "snapshot_sha256",
            "snapshot_warning",
            "created_at",
        ]

    def get_standing(self, model: Model) -> str:
        return verdicts.standing(model)

    def get_sentence(self, model: Model) -> str:
        return verdicts.sentence(model)

    @extend_schema_field(FigureSerializer(many=True))
    def get_figures(self, model: Model) -> list[dict[str, str]]:
        return [figure.in_words() for figure in verdicts.figures(model)]


class PromotionSerializer(serializers.ModelSerializer[Promotion]):
    """A change of a recipe's current model, or the request of one."""

    promoted_by = serializers.CharField(source="promoted_by.username", default=None, read_only=True)
    undone = serializers.SerializerMethodField(help_text="Whether it was undone.")

    class Meta:
        model = Promotion
        fields = [
            "id",
            "recipe",
            "model",
            "replaced",
            "undoes",
            "undone",
            "automatic",
            "promoted_by",
            "reason",
            "created_at",
        ]

    def get_undone(self, promotion: Promotion) -> bool:
        return hasattr(promotion, "undone_by")


class ReasonSerializer(Body):
    reason = serializers.CharField(
        max_length=promotion.REASON_MAX, help_text="Why, for those who read the history."
    )


class PromoteSerializer(ReasonSerializer):
    instead_of = serializers.IntegerField(
        min_value=0,
        required=False,
        help_text="Id of the current model that you saw, 0 for none: 409 if it is another by now.",
    )


class PromotionFilters(Dated):
    project = serializers.SlugField(
        source="project__slug", required=False, max_length=60, help_text="Its short name."
    )
    recipe = serializers.CharField(required=False, max_length=40)


class ModelFilters(PromotionFilters):
    current = Flag(required=False, help_text="Whether it is the current one of its recipe.")
    accepted = Flag(required=False, help_text="Whether the judges accepted it.")


@extend_schema_view(
    get=extend_schema(
        operation_id="models_list",
        responses={200: ModelSerializer(many=True), **errors(400, 401, 403, 404)},
    )
)
class ModelList(views.ListAPIView[Model]):
    """Models, the newest first."""

    permission_classes = [MAY_VIEW]
    serializer_class = ModelSerializer
    pagination_class = NewestFirst
    queries: ClassVar = {"GET": ModelFilters}

    def get_queryset(self) -> QuerySet[Model]:
        projects = MAY_VIEW.projects(self.request)
        models = Model.objects.filter(project__in=projects, **self.chosen())
        return models.select_related("project", "run__snapshot").prefetch_related("promotions")


@extend_schema_view(
    get=extend_schema(
        operation_id="models_detail", responses={200: ModelSerializer, **errors(401, 403, 404)}
    )
)
class ModelDetail(views.RetrieveAPIView[Model]):
    """One model."""

    permission_classes = [MAY_VIEW]
    queryset = Model.objects.select_related("project", "run__snapshot")
    serializer_class = ModelSerializer


class StandingChange(views.GenericAPIView[Model]):
    """Change which model of a recipe is the current one."""

    permission_classes = [MAY_CHANGE]
    queryset = Model.objects.select_related("project", "run__snapshot")
    serializer_class = ModelSerializer

    def apply(self, change: Callable[..., object], **arguments: object) -> Response:
        """Change it and return the model; 409 where that cannot be."""
        assert isinstance(self.request.user, User)  # which the permission asks for
        try:
            change(by=self.request.user, **arguments)
        except promotion.PromotionError as error:
            raise ConflictError(str(error)) from None
        return Response(ModelSerializer(self.get_object()).data)


class Promote(StandingChange):
    @extend_schema(
        operation_id="models_promote",
        request=PromoteSerializer,
        responses={200: ModelSerializer, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Make a model the current one of its recipe: roll back, or overrule its comparison."""
        model = self.get_object()
        body = valid(PromoteSerializer(data=request.data))
        seen = body.get("instead_of")
        return self.apply(tasks.promote, model=model, reason=body["reason"], seen=seen)


class Demote(StandingChange):
    @extend_schema(
        operation_id="models_demote",
        request=ReasonSerializer,
        responses={200: ModelSerializer, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Take the current model back: then its recipe has none."""
        model = self.get_object()
        body = valid(ReasonSerializer(data=request.data))
        return self.apply(tasks.demote, model=model, reason=body["reason"])


class PromotionList(views.ListAPIView[Promotion]):
    """The changes of the current model, the newest first."""

    permission_classes = [MAY_LIST_CHANGES]
    serializer_class = PromotionSerializer
    pagination_class = NewestFirst
    queries: ClassVar = {"GET": PromotionFilters}

    def get_queryset(self) -> QuerySet[Promotion]:
        projects = MAY_LIST_CHANGES.projects(self.request)
        changes = Promotion.objects.filter(project__in=projects, **self.chosen())
        return changes.select_related("promoted_by", "undone_by")

    @extend_schema(
        operation_id="promotions_list",
        responses={200: PromotionSerializer(many=True), **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class Undo(views.GenericAPIView[Promotion]):
    permission_classes = [MAY_UNDO]
    queryset = Promotion.objects.all()
    serializer_class = PromotionSerializer

    @extend_schema(
        operation_id="promotions_undo",
        request=ReasonSerializer,
        responses={200: PromotionSerializer, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Undo the last change of a recipe's current model; return the change that this is."""
        assert isinstance(request.user, User)  # which the permission asks for
        change = self.get_object()
        body = valid(ReasonSerializer(data=request.data))
        try:
            undo = tasks.undo_promotion(change=change, by=request.user, reason=body["reason"])
        except promotion.PromotionError as error:
            raise ConflictError(str(error)) from None
        return Response(PromotionSerializer(undo).data)

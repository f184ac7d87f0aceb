"""What runs have produced, and each recipe's current model, for members and staff."""

from django.contrib.auth.models import User
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.access import Capability
from labeling.api.pagination import NewestFirst
from labeling.api.permissions import may
from labeling.api.schema import errors
from training import promotion, tasks
from training.api.errors import ConflictError
from training.models import Model

MAY_VIEW = may(Capability.VIEW, models=(Model,))
MAY_CHANGE = may(
    Capability.VIEW, Capability.TRAIN, models=(Model,), staff_write="training.change_model"
)


class ModelSerializer(serializers.ModelSerializer[Model]):
    project = serializers.CharField(source="project.slug", read_only=True)
    metrics = serializers.JSONField(source="run.metrics", read_only=True)
    snapshot_warning = serializers.CharField(
        source="run.snapshot.warning",
        read_only=True,
        default="",
        help_text="Pictures that it was trained on and that were removed since, or empty.",
    )

    class Meta:
        model = Model
        fields = [
            "id",
            "project",
            "run",
            "recipe",
            "current",
            "verdict",
            "reviewed_at",
            "metrics",
            "feedback",
            "snapshot_warning",
            "created_at",
        ]


@extend_schema_view(
    get=extend_schema(responses={200: ModelSerializer(many=True), **errors(401, 403, 404)})
)
class ModelList(generics.ListAPIView[Model]):
    """Models, the newest first."""

    permission_classes = [MAY_VIEW]
    serializer_class = ModelSerializer
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Model]:
        models = Model.objects.filter(project__in=MAY_VIEW.projects(self.request))
        return models.select_related("project", "run__snapshot")


@extend_schema_view(get=extend_schema(responses={200: ModelSerializer, **errors(401, 403, 404)}))
class ModelDetail(generics.RetrieveAPIView[Model]):
    """One model."""

    permission_classes = [MAY_VIEW]
    queryset = Model.objects.select_related("project", "run__snapshot")
    serializer_class = ModelSerializer


class Promote(generics.GenericAPIView[Model]):
    permission_classes = [MAY_CHANGE]
    queryset = Model.objects.select_related("project", "run__snapshot")
    serializer_class = ModelSerializer

    @extend_schema(request=None, responses={200: ModelSerializer, **errors(401, 403, 404, 409)})
    def post(self, request: Request, pk: int) -> Response:
        """Make a model the current one of its recipe: roll back, or overrule its comparison."""
        assert isinstance(request.user, User)  # which the permission asks for
        try:
            tasks.promote(
                model=self.get_object(), by=request.user, reason=str(request.data.get("reason", ""))
            )
        except promotion.PromotionError as error:
            raise ConflictError(str(error)) from None
        return Response(ModelSerializer(self.get_object()).data)

"""What runs have produced, and which model of a recipe is the current one, for staff."""

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.pagination import NewestFirst
from labeling.api.permissions import staff_may
from labeling.api.schema import errors
from training import promotion, tasks
from training.api.errors import ConflictError
from training.models import Model

MAY_VIEW = staff_may(read=(Model,))
MAY_CHANGE = staff_may(read=(Model,), write="training.change_model")


class ModelSerializer(serializers.ModelSerializer[Model]):
    project = serializers.CharField(source="project.slug", read_only=True)
    metrics = serializers.JSONField(source="run.metrics", read_only=True)

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
            "created_at",
        ]


@extend_schema_view(
    get=extend_schema(responses={200: ModelSerializer(many=True), **errors(401, 403, 404)})
)
class ModelList(generics.ListAPIView[Model]):
    """Models, the newest first."""

    permission_classes = [MAY_VIEW]
    queryset = Model.objects.select_related("project", "run")
    serializer_class = ModelSerializer
    pagination_class = NewestFirst


@extend_schema_view(get=extend_schema(responses={200: ModelSerializer, **errors(401, 403, 404)}))
class ModelDetail(generics.RetrieveAPIView[Model]):
    """One model."""

    permission_classes = [MAY_VIEW]
    queryset = Model.objects.select_related("project", "run")
    serializer_class = ModelSerializer


class Promote(generics.GenericAPIView[Model]):
    permission_classes = [MAY_CHANGE]
    queryset = Model.objects.select_related("project", "run")
    serializer_class = ModelSerializer

    @extend_schema(request=None, responses={200: ModelSerializer, **errors(401, 403, 404, 409)})
    def post(self, request: Request, pk: int) -> Response:
        """Make a model the current one of its recipe: roll back, or overrule its comparison."""
        assert isinstance(request.user, User)  # which the permission asks for
        try:
            tasks.promote(model=self.get_object(), by=request.user)
        except promotion.PromotionError as error:
            raise ConflictError(str(error)) from None
        return Response(ModelSerializer(self.get_object()).data)

"""What runs have produced, and which model of a recipe is the current one, for staff."""

from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.permissions import BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api.pagination import NewestFirst
from labeling.api.serializers import ErrorOut
from training import promotion, tasks
from training.api.errors import ConflictError
from training.models import Model


class MayPromote(BasePermission):
    """Who decides which model is the current one needs the permission to change models."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.user.is_active and request.user.has_perm("training.change_model")


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


class ModelList(generics.ListAPIView[Model]):
    """The newest model first."""

    queryset = Model.objects.select_related("project", "run")
    serializer_class = ModelSerializer
    pagination_class = NewestFirst


class ModelDetail(generics.RetrieveAPIView[Model]):
    queryset = Model.objects.select_related("project", "run")
    serializer_class = ModelSerializer


class Promote(generics.GenericAPIView[Model]):
    permission_classes = [IsAdminUser, MayPromote]
    queryset = Model.objects.select_related("project", "run")
    serializer_class = ModelSerializer

    @extend_schema(request=None, responses={200: ModelSerializer, (403, 404, 409): ErrorOut})
    def post(self, request: Request, pk: int) -> Response:
        """Make a model the current one of its recipe: roll back, or overrule its comparison."""
        assert isinstance(request.user, User)  # which the permission asks for
        try:
            tasks.promote(model=self.get_object(), by=request.user)
        except promotion.PromotionError as error:
            raise ConflictError(str(error)) from None
        return Response(ModelSerializer(self.get_object()).data)

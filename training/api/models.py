"""What runs have produced, for staff."""

from rest_framework import generics, serializers

from labeling.api.pages import NewestFirst
from training.models import Model


class ModelSerializer(serializers.ModelSerializer[Model]):
    project = serializers.CharField(source="project.slug", read_only=True)
    metrics = serializers.JSONField(source="run.metrics", read_only=True)

    class Meta:
        model = Model
        fields = ["id", "project", "run", "recipe", "current", "metrics", "feedback", "created_at"]


class ModelList(generics.ListAPIView[Model]):
    """The newest model first."""

    queryset = Model.objects.select_related("project", "run")
    serializer_class = ModelSerializer
    pagination_class = NewestFirst


class ModelDetail(generics.RetrieveAPIView[Model]):
    queryset = Model.objects.select_related("project", "run")
    serializer_class = ModelSerializer

"""Runs, models and drawings over HTTP."""

from django.urls import path
from rest_framework import generics, serializers

from training.models import Run


class RunSerializer(serializers.ModelSerializer[Run]):
    class Meta:
        model = Run
        fields = ["id", "recipe", "preset", "state"]


class RunDetail(generics.RetrieveAPIView[Run]):
    """One run and its progress."""

    queryset = Run.objects.all()
    serializer_class = RunSerializer


urlpatterns = [path("runs/<int:pk>/", RunDetail.as_view(), name="run")]

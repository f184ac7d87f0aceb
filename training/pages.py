"""The page that draws from a prompt, and from none."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from training.models import Model


def draw(request: HttpRequest) -> HttpResponse:
    """Prompt, number, seed and guidance; the pictures come by the API."""
    models = (
        Model.objects.filter(recipe="diffusion", current=True)
        .select_related("project", "run__snapshot")
        .order_by("project__name")
    )
    return render(request, "draw.html", {"models": models})


urlpatterns = [path("draw/", draw, name="draw")]

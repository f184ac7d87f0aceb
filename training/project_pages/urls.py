"""Addresses below /projects/<slug>/."""

from django.urls import URLPattern

from training.project_pages import steps

__all__ = ["steps", "urlpatterns"]

urlpatterns: list[URLPattern] = []

"""Addresses below /projects/<slug>/."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []

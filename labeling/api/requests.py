"""What a request says: its checked body, and who sends it."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from rest_framework import serializers
from rest_framework.request import Request


def valid(serializer: serializers.BaseSerializer[Any]) -> dict[str, Any]:
    """Return what a serializer reads. Raises ValidationError, which is answered with 400."""
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def user(request: Request | HttpRequest) -> User | None:
    """Return who sends a request; None for an anonymous visitor."""
    return request.user if isinstance(request.user, User) else None

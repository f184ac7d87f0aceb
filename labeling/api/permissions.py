"""Staff may look; who changes something needs Django's permission to change it."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request


def may(permission: str) -> type[BasePermission]:
    """Staff, and for anything but reading also that permission."""

    class May(BasePermission):
        def has_permission(self, request: Request, view: Any) -> bool:
            if not (request.user.is_active and request.user.is_staff):
                return False
            reading = request.method in {"GET", "HEAD", "OPTIONS"}
            return reading or bool(request.user.has_perm(permission))

    return May

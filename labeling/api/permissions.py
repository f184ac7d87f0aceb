"""Ask of the API's callers what the admin asks of its users."""

from typing import Any

from django.db.models import Model
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from labeling.permissions import is_staff, may_view


def staff_may(
    *, read: tuple[type[Model], ...], write: str = "", delete: str = ""
) -> type[BasePermission]:
    """Return a permission class for staff.

    Safe methods need Django's permission to view (or change) rows of every model in `read`; all
    others need `write`, such as "labeling.change_question", or for DELETE `delete`, and are refused
    where that is empty.
    A method that the view does not have is let through to be answered as such.
    """

    class StaffPermission(BasePermission):
        def has_permission(self, request: Request, view: Any) -> bool:
            if not is_staff(request.user):
                return False
            if request.method in SAFE_METHODS or request.method not in view.allowed_methods:
                return may_view(request.user, *read)
            permission = delete if request.method == "DELETE" else write
            return bool(permission) and request.user.has_perm(permission)

    return StaffPermission

"""Say which scope a token needs for a view's method: that of the capability it asks for."""

from typing import TYPE_CHECKING

from labeling.access import Capability
from labeling.api.permissions import ProjectPermission
from labeling.models import Scope

if TYPE_CHECKING:  # views import this module by their settings
    from rest_framework.views import APIView

_OF_CAPABILITY = {
    Capability.VIEW: Scope.READ,
    Capability.ANNOTATE: Scope.ANNOTATE,
    Capability.REVIEW: Scope.REVIEW,
    Capability.TRAIN: Scope.OWN,
    Capability.MANAGE: Scope.OWN,
}
_READS = frozenset({"GET", "HEAD"})


def needed(view: "APIView", method: str) -> Scope | None:
    """Return the scope that a method of a view needs; None where any token will do.

    What only staff may do needs OWN. A view for everybody says in `scopes`, by method, what it
    needs besides READ for what reads, and ANNOTATE for what writes.
    """
    if method == "OPTIONS":
        return None
    for permission in view.get_permissions():
        if isinstance(permission, ProjectPermission):
            capability = permission.read if method in _READS else permission.write
            return _OF_CAPABILITY[capability] if capability else Scope.OWN
    own: dict[str, Scope] = getattr(view, "scopes", {})
    return own.get(method, Scope.READ if method in _READS else Scope.ANNOTATE)

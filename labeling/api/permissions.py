"""Ask of the API's callers what the pages ask of members, and the admin of staff."""

from typing import TYPE_CHECKING

from django.db.models import Model, Q, QuerySet
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from labeling import access
from labeling.access import Capability
from labeling.api.exceptions import NotFound
from labeling.models import Project
from labeling.permissions import is_staff, may_view

if TYPE_CHECKING:  # views import this module by their settings
    from rest_framework.views import APIView


class ProjectPermission(BasePermission):
    """What a caller needs: a capability in the project (`access`), or Django's permission as staff.

    So whoever may do something on a project's pages, or in the admin, may do it here. The project
    is that of the address, by its slug or by the id of a row in it. Whoever may not even see that
    project's pages is told that there is nothing: 404, not 403.
    """

    read: Capability | None
    write: Capability | None
    models: tuple[type[Model], ...]
    staff_write: str
    staff_delete: str
    path: str

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not request.user.is_authenticated:
            return False
        writes = request.method not in SAFE_METHODS and request.method in view.allowed_methods
        if self._as_staff(request, writes):
            return True
        capability = self.write if writes else self.read
        if capability is None:
            return False
        if not _names_project(view):
            return access.projects(request.user, capability).exists()
        project = access.projects(request.user).filter(self._of(view)).first()
        if project is None:
            raise NotFound
        return access.may(request.user, project, capability)

    @classmethod
    def projects(cls, request: Request) -> QuerySet[Project]:
        """Return the projects whose rows a caller may list, or for other methods, write."""
        writes = request.method not in SAFE_METHODS
        if cls._as_staff(request, writes):
            return Project.objects.all()
        capability = cls.write if writes else cls.read
        if capability is None:
            return Project.objects.none()
        return access.projects(request.user, capability)

    @classmethod
    def _as_staff(cls, request: Request, writes: bool) -> bool:
        if not is_staff(request.user):
            return False
        if not writes:
            return may_view(request.user, *cls.models)
        permission = cls.staff_delete if request.method == "DELETE" else cls.staff_write
        return bool(permission) and request.user.has_perm(permission)

    @classmethod
    def _of(cls, view: "APIView") -> Q:
        if "slug" in view.kwargs:
            return Q(slug=view.kwargs["slug"])
        rows = cls.models[0]._default_manager.filter(pk=view.kwargs["pk"])
        return Q(pk__in=rows.values(cls.path))


def may(
    read: Capability | None,
    write: Capability | None = None,
    *,
    models: tuple[type[Model], ...],
    staff_write: str = "",
    staff_delete: str = "",
    path: str = "project",
) -> type[ProjectPermission]:
    """Return a permission class for those who have a capability in the project, and for staff.

    Safe methods need the capability `read` and all others `write`; None is nobody. Besides, staff
    may use safe methods with Django's permission to view (or change) rows of every model in
    `models`, DELETE with `staff_delete`, and others with `staff_write`, such as
    "labeling.change_question"; empty is nobody.

    models: an address's `pk` is that of a row of the first, from which `path` leads to its project.
    A method that the view does not have is let through to be answered as such.
    """
    attributes = {
        "read": read,
        "write": write,
        "models": models,
        "staff_write": staff_write,
        "staff_delete": staff_delete,
        "path": path,
    }
    return type("MemberPermission", (ProjectPermission,), attributes)


def _names_project(view: "APIView") -> bool:
    return not view.kwargs.keys().isdisjoint({"slug", "pk"})

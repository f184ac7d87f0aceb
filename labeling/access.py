"""Say who may do what in a project: by their role in it, or by Django's permissions as staff.

One rule for pages, API and admin. Staff with Django's permission for the rows in question may do it
in every project; a superuser may do everything.
"""

from collections.abc import Collection
from enum import StrEnum

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet

from labeling import prepared
from labeling.models import Annotator, Membership, Project, Role

User = AbstractBaseUser | AnonymousUser


class Capability(StrEnum):
    """What somebody may do in a project."""

    VIEW = "view"  # its pages, labels, agreement and history
    ANNOTATE = "annotate"  # answer its questions
    REVIEW = "review"  # decide, mark gold, resolve flags, block annotators
    TRAIN = "train"  # snapshots, runs, promotions
    MANAGE = "manage"  # pictures, concepts, settings, members, publishing


_OF_ROLE = {
    Role.OWNER: frozenset(Capability),
    Role.REVIEWER: frozenset({Capability.VIEW, Capability.ANNOTATE, Capability.REVIEW}),
    Role.TRAINER: frozenset({Capability.VIEW, Capability.ANNOTATE, Capability.TRAIN}),
    Role.ANNOTATOR: frozenset({Capability.ANNOTATE}),
    Role.VIEWER: frozenset({Capability.VIEW}),
}
_OF_STAFF = {  # Django's permissions that stand for a capability in all projects
    Capability.VIEW: ("labeling.view_project", "labeling.change_project"),
    Capability.ANNOTATE: ("labeling.view_project", "labeling.change_project"),
    Capability.REVIEW: ("labeling.change_question",),
    Capability.TRAIN: ("training.add_run",),
    Capability.MANAGE: ("labeling.change_project",),
}
_ROLES = ", ".join(f"'{role}'" for role, may in _OF_ROLE.items() if Capability.ANNOTATE in may)
_IS_INVITED = f"""(
    EXISTS (
        SELECT FROM labeling_membership AS membership
        WHERE membership.project_id = {{project}} AND membership.role IN ({_ROLES})
            AND (membership.annotator_id = {{annotator}}.id
                OR membership.user_id = {{annotator}}.user_id)
    ) OR EXISTS (SELECT FROM auth_user WHERE id = {{annotator}}.user_id AND is_staff)
)"""


def may(user: User, project: Project, capability: Capability) -> bool:
    """Return whether a user may do this in a project."""
    return capability in capabilities(user, project)


def capabilities(user: User, project: Project) -> frozenset[Capability]:
    """Return all that a user may do in a project; what everybody may do is not among it."""
    return _as_staff(user) | _as_member(user, project)


def may_create(user: User) -> bool:
    """Return whether a user may create projects, of which they become the owner."""
    return bool(user.is_active and user.has_perm("labeling.add_project"))  # type: ignore[attr-defined]


def covers(role: str, other: str) -> bool:
    """Return whether a role allows all that another one does."""
    return of_role(other) <= of_role(role)


def of_role(role: str) -> frozenset[Capability]:
    """Return what members in a role may do."""
    return _OF_ROLE[Role(role)]


def projects(user: User, capability: Capability = Capability.VIEW) -> QuerySet[Project]:
    """Return the projects in which a user may do this, archived ones among them.

    Those in which they may VIEW are those whose pages they may see.
    """
    if capability in _as_staff(user):
        return Project.objects.all()
    if not user.is_authenticated or not user.is_active:
        return Project.objects.none()
    roles = [role for role, allowed in _OF_ROLE.items() if capability in allowed]
    members = Membership.objects.filter(user=user.pk, role__in=roles)
    return Project.objects.filter(pk__in=members.values("project"))


def may_take_part(user: User, annotator: Annotator | None, project: Project) -> bool:
    """Return whether somebody may answer a project's questions while it asks any.

    annotator: a visitor who is not signed in, where they are known.
    """
    if not project.private or may(user, project, Capability.ANNOTATE):
        return True
    return annotator is not None and (
        Membership.objects.filter(project=project, annotator=annotator).exists()
    )


def is_invited(annotator: str, project: str) -> str:
    """Return SQL: whether an annotator may answer a project even where it is private, or is staff.

    annotator: the name of their row in the query. project: the project's id there.
    """
    return _IS_INVITED.format(annotator=annotator, project=project)


def invited(annotators: Collection[int], project: Project) -> set[int]:
    """Return those of the annotators, by id, who may answer a project even where it is private."""
    query = f"""SELECT annotator.id FROM labeling_annotator AS annotator
        WHERE annotator.id = ANY(%s::bigint[]) AND {is_invited("annotator", "%s::bigint")}"""
    return {pk for (pk,) in prepared.fetch(query, [list(annotators), project.pk])}


def _as_staff(user: User) -> frozenset[Capability]:
    if not (user.is_active and getattr(user, "is_staff", False)):
        return frozenset()
    return frozenset(
        capability
        for capability, permissions in _OF_STAFF.items()
        if any(map(user.has_perm, permissions))  # type: ignore[attr-defined]
    )


def _as_member(user: User, project: Project) -> frozenset[Capability]:
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    role = Membership.objects.filter(project=project, user=user.pk).values_list("role", flat=True)
    return of_role(role[0]) if role else frozenset()

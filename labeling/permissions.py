"""Say who among the staff may look at what: one rule for the admin and the API.

Whoever may change rows of a model may also look at them, as in Django's admin.
"""

from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model

User = AbstractBaseUser | AnonymousUser


def may_view(user: User, *models: type[Model]) -> bool:
    """Return whether the user may look at rows of all these models."""
    return all(_may(user, "view", model) or _may(user, "change", model) for model in models)


def is_staff(user: User) -> bool:
    """Return whether the user may enter the admin at all."""
    return bool(user.is_active and getattr(user, "is_staff", False))


def _may(user: User, action: str, model: type[Model]) -> bool:
    options = model._meta
    codename = get_permission_codename(action, options)
    return bool(user.has_perm(f"{options.app_label}.{codename}"))  # type: ignore[union-attr]

"""What the API raises besides REST framework's own exceptions."""

from http import HTTPStatus

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions


class NotFound(exceptions.NotFound):
    default_detail = _("There is nothing here by that name.")


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request is too large: send less at once.")


class ScopeMissing(exceptions.PermissionDenied):
    """A token is not for what was asked."""

    problem_code = "scope"

    def __init__(self, scope: str) -> None:
        self.scope = str(scope)
        super().__init__(gettext("The token needs the scope “%(scope)s” for this.") % vars(self))


class PreconditionFailed(exceptions.APIException):
    status_code = HTTPStatus.PRECONDITION_FAILED
    default_detail = _("It was changed since you read it: read it again.")


class KeyReused(exceptions.APIException):
    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_detail = _("This Idempotency-Key was sent before, with another request.")

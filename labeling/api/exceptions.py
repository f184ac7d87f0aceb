"""What the API raises besides REST framework's own exceptions."""

from http import HTTPStatus

from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions


class NotFound(exceptions.NotFound):
    default_detail = _("There is nothing here by that name.")


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request is too large: send less at once.")

"""What the API raises besides REST framework's own exceptions."""

from http import HTTPStatus

from rest_framework import exceptions


class NotFound(exceptions.NotFound):
    default_detail = "There is nothing here by that name."


class TooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request is too large: send less at once."

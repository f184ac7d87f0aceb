"""Refusals that `labeling.api.errors` puts into words."""

from rest_framework.exceptions import APIException


class InvalidError(APIException):
    status_code = 400


class ConflictError(APIException):
    status_code = 409


class BusyError(APIException):
    status_code = 429

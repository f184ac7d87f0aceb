"""Limits on how often anybody may call the API."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from labeling.addresses import client_address
from labeling.api import visitors

CROWD = 20  # annotators who may share an address: a class, an office


class ByAddress(SimpleRateThrottle):
    """Tell callers apart by their address, where they are not signed in."""

    def get_ident(self, request: Request) -> str:
        return client_address(request._request)


class _PerMinute(ByAddress):
    """Allow `times` times `CHALLENGE_RATE` calls a minute."""

    times = 1

    def get_rate(self) -> str:
        return f"{settings.CHALLENGE_RATE * self.times}/min"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        return f"throttle:{self.scope}:{self.caller(request)}"

    def caller(self, request: Request) -> str:
        return self.get_ident(request)


class _Annotator(_PerMinute):
    def caller(self, request: Request) -> str:
        annotator = visitors.known(request)
        return str(annotator.pk) if annotator else self.get_ident(request)


class Asks(_Annotator):
    """Limit the challenges issued to one annotator: more than answers, as some are prefetched."""

    scope = "asks"
    times = 3


class Answers(_Annotator):
    """Limit the challenges answered or skipped by one annotator."""

    scope = "answers"


class Address(_PerMinute):
    """Limit all calls from one address."""

    scope = "address"
    times = CROWD


class Newcomers(_PerMinute):
    """Limit the pseudonyms given to one address."""

    scope = "newcomers"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        return None if visitors.known(request) else super().get_cache_key(request, view)

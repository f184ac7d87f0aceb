"""How often one may ask and answer."""

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from labeling.api import visitors

CROWD = 20  # annotators who may share an address: a class, an office


class _PerMinute(SimpleRateThrottle):
    times = 1

    def get_rate(self) -> str:
        return f"{settings.CHALLENGE_RATE * self.times}/min"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        return f"throttle:{self.scope}:{self.whom(request)}"

    def whom(self, request: Request) -> str | None:
        return self.get_ident(request)


class _Annotator(_PerMinute):
    def whom(self, request: Request) -> str | None:
        annotator = visitors.known(request)
        return str(annotator.pk) if annotator else self.get_ident(request)


class Asks(_Annotator):
    """Challenges asked for by one annotator: more than answers, since some are preloaded."""

    scope = "asks"
    times = 3


class Answers(_Annotator):
    """Challenges answered or skipped by one annotator."""

    scope = "answers"


class Address(_PerMinute):
    """Anything by one address."""

    scope = "address"
    times = CROWD


class Newcomers(_PerMinute):
    """Pseudonyms given to one address."""

    scope = "newcomers"

    def get_cache_key(self, request: Request, view: APIView) -> str | None:
        return None if visitors.known(request) else super().get_cache_key(request, view)

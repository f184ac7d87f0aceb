"""Run by `test_reports`: the real settings, and a page that fails with secrets all around it."""

import os
import sys
from typing import Any, NoReturn

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import path  # noqa: E402


def boom(request: HttpRequest, token: str) -> NoReturn:
    answer = request.body  # noqa: F841 - a local variable that must not be sent
    raise ValueError(f"/invitations/{token}/ failed")


def count(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(User.objects.filter(username=WANTED).count()))


urlpatterns: list[Any] = [
    path("invitations/<str:token>/", boom, name="boom"),
    path("count/", count, name="count"),
]


WANTED = "Password-of-a-query"


def main() -> None:
    from django.test.utils import override_settings

    with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"]):
        client = Client(raise_request_exception=False)
        client.cookies["sessionid"] = "Session-Secret"
        client.post(
            "/invitations/Token-Secret/?code=Query-Secret",
            {"answer": "Answer-Secret"},
            headers={"authorization": "Bearer Header-Secret", "x-request-id": "req-77"},
            REMOTE_ADDR="203.0.113.77",
        )
        client.get("/count/?who=Query-Secret")
        client.get("/healthz")


if __name__ == "__main__":
    main()
    import sentry_sdk
    from opentelemetry import trace

    sentry_sdk.flush(5)
    trace.get_tracer_provider().force_flush()  # type: ignore[attr-defined]
    sys.exit(0)

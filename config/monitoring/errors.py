"""Report errors to Sentry, or a server that speaks as it does, where `SENTRY_DSN` names one.

What is sent is where and why something failed: no cookies, bodies or query strings, no values of
variables, nobody's account or address.
"""

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.logs import hide_tokens, hide_values
from config.monitoring import ids
from config.monitoring.version import version

KEPT_HEADERS = {"Accept", "Accept-Language", "Content-Length", "Content-Type", "User-Agent"}


def begin() -> None:
    """Report from now on. Raises ImproperlyConfigured where the library is missing."""
    try:
        import sentry_sdk
        from sentry_sdk.integrations.celery import CeleryIntegration
        from sentry_sdk.integrations.django import DjangoIntegration
        from sentry_sdk.utils import BadDsn
    except ImportError as error:
        raise ImproperlyConfigured(
            "SENTRY_DSN needs the extra “sentry”: install it, or unset SENTRY_DSN."
        ) from error
    try:
        sentry_sdk.init(
            dsn=settings.SENTRY_DSN,
            environment=settings.SENTRY_ENVIRONMENT,
            release=version(),
            integrations=[DjangoIntegration(middleware_spans=False), CeleryIntegration()],
            auto_enabling_integrations=False,
            send_default_pii=False,
            include_local_variables=False,
            max_request_body_size="never",
            before_send=scrub,
            before_breadcrumb=scrub_breadcrumb,
        )
    except BadDsn as error:
        raise ImproperlyConfigured("SENTRY_DSN is no address of a project in Sentry.") from error


def scrub(event: Any, hint: Any = None) -> Any:
    """Take out of an event what nobody who reads it should know; add the ids of the log."""
    event.pop("user", None)
    request = event.get("request") or {}
    for name in ("cookies", "data", "query_string", "env"):
        request.pop(name, None)
    if "headers" in request:
        kept = {name: value for name, value in request["headers"].items() if name in KEPT_HEADERS}
        request["headers"] = kept
    if "url" in request:
        request["url"] = hide_tokens(request["url"].partition("?")[0])
    for exception in (event.get("exception") or {}).get("values") or []:
        exception["value"] = hide_values(str(exception.get("value") or ""))
    for name in ("message", "formatted"):
        entry = event.get("logentry") or {}
        if entry.get(name):
            entry[name] = hide_values(str(entry[name]))
    (event.get("logentry") or {}).pop("params", None)
    for name, value in (("request_id", ids.request_id), ("task_id", ids.task_id)):
        if current := value.get():
            event.setdefault("tags", {})[name] = current
    return event


def scrub_breadcrumb(crumb: Any, hint: Any = None) -> Any:
    """Keep of what happened before an error the log alone, without tokens and data."""
    if crumb.get("category") in {"query", "httplib", "redis", "subprocess"}:
        return None
    crumb["message"] = hide_values(str(crumb.get("message") or ""))
    crumb.pop("data", None)
    return crumb

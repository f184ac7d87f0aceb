"""Send traces of requests, tasks and queries by OpenTelemetry, where an endpoint is set.

Spans go as OTLP over HTTP. They name views, tasks and statements with placeholders; addresses of
clients, query strings, tokens and values are taken out before anything is sent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.logs import hide_values
from config.monitoring.version import version

UNTRACED = "^https?://[^/]+/(healthz|readyz|metrics)$"
DROPPED = frozenset(
    {
        "client.address",
        "enduser.id",
        "http.client_ip",
        "http.user_agent",
        "net.peer.ip",
        "net.peer.port",
        "network.peer.address",
        "network.peer.port",
        "url.query",
        "user_agent.original",
    }
)
ADDRESSES = frozenset({"http.target", "http.url", "url.full", "url.path"})


def begin() -> None:
    """Trace from now on. Raises ImproperlyConfigured where the libraries are missing."""
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.celery import CeleryInstrumentor
        from opentelemetry.instrumentation.django import DjangoInstrumentor
        from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT needs the extra “otel”: install it, or unset it."
        ) from error
    named = {"service.name": settings.OTEL_SERVICE_NAME, "service.version": version()}
    provider = TracerProvider(resource=Resource.create(named))
    exporter = OTLPSpanExporter()
    export = exporter.export
    exporter.export = lambda spans: export(_scrubbed(spans))  # type: ignore[method-assign]
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    instrumentors: list[Any] = [DjangoInstrumentor, CeleryInstrumentor, PsycopgInstrumentor]
    for instrumentor in instrumentors:
        instrumentor().instrument(excluded_urls=UNTRACED)  # which Django's alone has


def scrub(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a span that anybody may read."""
    return {name: _plain(name, value) for name, value in attributes.items() if name not in DROPPED}


def _plain(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return hide_values(value.partition("?")[0] if name in ADDRESSES else value)


def _scrubbed(spans: Sequence[Any]) -> Sequence[Any]:
    for span in spans:
        span._attributes = scrub(span.attributes or {})
        if span.status.description:
            span._status = type(span.status)(
                span.status.status_code, hide_values(span.status.description)
            )
        for event in span.events:
            event._attributes = scrub(event.attributes or {})
    return spans

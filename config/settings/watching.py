"""Log, metrics, errors and traces."""

from django.core.exceptions import ImproperlyConfigured

from config import environment, logs
from config.settings.mail import ADMINS
from config.settings.running import DATA_DIR

environment.section("Watching it")

LOG_FORMAT = environment.text(
    "LOG_FORMAT",
    "line",
    options=("line", "json"),
    about="how the log is written: `line` for people, `json` for programs"
    " ([the log](monitoring.md#the-log))",
)
LOGGING = logs.configuration(
    format=LOG_FORMAT,
    level=environment.text(
        "LOG_LEVEL",
        "INFO",
        options=("DEBUG", "INFO", "WARNING", "ERROR"),
        about="`DEBUG`, `INFO`, `WARNING` or `ERROR`: the least that is written",
    ),
    mailed=bool(ADMINS),
)
METRICS_TOKEN = environment.text(
    "METRICS_TOKEN",
    secret=True,
    about="with which [/metrics](monitoring.md#metrics) can be read, of 16 characters or more;"
    " without one there is no such page",
)
if METRICS_TOKEN and not (len(METRICS_TOKEN) >= 16 and METRICS_TOKEN.isascii()):
    raise ImproperlyConfigured(
        "METRICS_TOKEN must have 16 characters or more, all of them ASCII: draw one with"
        " `openssl rand -hex 16`."
    )
METRICS_ROOT = DATA_DIR / "metrics"
METRICS_PORT = environment.number(
    "METRICS_PORT",
    0,
    most=65535,
    about="port at which a worker without a web process beside it serves the same metrics, at"
    " `HOST`; 0: none",
)
if METRICS_PORT and not METRICS_TOKEN:
    raise ImproperlyConfigured("METRICS_PORT needs METRICS_TOKEN: metrics are never public.")

SENTRY_DSN = environment.text(
    "SENTRY_DSN",
    secret=True,
    about="address of a project of Sentry's, to which errors are reported"
    " ([errors](monitoring.md#errors-and-traces)); needs the extra `sentry`",
)
SENTRY_ENVIRONMENT = environment.text(
    "SENTRY_ENVIRONMENT", "production", about="what it calls this installation"
)
OTEL_EXPORTER_OTLP_ENDPOINT = environment.text(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    about="address of a collector of OpenTelemetry, `http://collector:4318`, to which traces are"
    " sent; needs the extra `otel`",
)
OTEL_SERVICE_NAME = environment.text(
    "OTEL_SERVICE_NAME", "tessera", about="what it calls this installation"
)

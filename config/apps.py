from contextlib import suppress

from django.apps import AppConfig
from django.conf import settings

from config import servers


class TesseraConfig(AppConfig):
    name = "config"
    verbose_name = "Tessera"

    def ready(self) -> None:
        """Load the Celery app, for tasks in any process, and make the data folder private."""
        from config import celery  # noqa: F401
        from config.checks import register
        from config.monitoring import workers  # noqa: F401

        register()
        if settings.SENTRY_DSN:
            from config.monitoring import errors

            errors.begin()
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            from config.monitoring import traces

            traces.begin()
        with suppress(servers.EmbeddedError):  # another user's folder is left as it is
            servers.make_data_dir(settings.DATA_DIR)
        if settings.METRICS_TOKEN:
            from config.monitoring import process_metrics
            from labeling import counters

            counters.connect(process_metrics.count)

from django.apps import AppConfig


class TesseraConfig(AppConfig):
    name = "config"
    verbose_name = "Tessera"

    def ready(self) -> None:
        """Load the Celery app, so that tasks use it instead of Celery's default in any process."""
        from config import celery  # noqa: F401

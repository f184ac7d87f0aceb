from django.apps import AppConfig


class TesseraConfig(AppConfig):
    name = "config"
    verbose_name = "Tessera"

    def ready(self) -> None:
        """Tasks belong to this project's Celery app in every process, not to Celery's default."""
        from config import celery  # noqa: F401

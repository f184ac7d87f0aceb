from django.apps import AppConfig


class LabelingConfig(AppConfig):
    name = "labeling"
    verbose_name = "Labelling"

    def ready(self) -> None:
        """Tasks belong to this project's Celery app in every process, not to Celery's default."""
        from labeling import celery  # noqa: F401

from celery.signals import task_postrun
from django.apps import AppConfig
from django.core.signals import request_finished

from labeling import stored_folders


class LabelingConfig(AppConfig):
    name = "labeling"
    verbose_name = "Labelling"

    def ready(self) -> None:
        """Give back the copies of stored folders that a request or a task used, once it ends."""
        request_finished.connect(stored_folders.release)
        task_postrun.connect(stored_folders.release)

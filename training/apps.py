"""The Django app."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """Snapshot → run → model → samples, and their feedback."""

    name = "training"
    verbose_name = "Training"

    def ready(self) -> None:
        """Refuse to start with settings that would fail a scheduled run later; name its models."""
        from labeling import reissues
        from training import lineage, retraining  # models can be imported by now

        retraining.check_settings()
        reissues.register(lineage.dependents)

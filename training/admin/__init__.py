"""Pages of Django's admin for those who train models."""

from training.admin import models, runs

__all__ = ["models", "runs"]

"""Trainers' pages inside Django's admin."""

from training.admin import models, runs

__all__ = ["models", "runs"]

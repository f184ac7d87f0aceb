"""Truth inference and agreement: arrays in, beliefs out. Knows neither Django nor the database."""

from labeling.aggregation.agreement import Agreement, agreement, agreement_of_votes
from labeling.aggregation.dawid_skene import Aggregate, aggregate

__all__ = ["Aggregate", "Agreement", "aggregate", "agreement", "agreement_of_votes"]

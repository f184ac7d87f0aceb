"""Truth inference and agreement with NumPy and SciPy: arrays in, probabilities out."""

from labeling.aggregation.agreement import Agreement, agreement, agreement_of_votes
from labeling.aggregation.dawid_skene import Aggregate, aggregate

__all__ = ["Aggregate", "Agreement", "aggregate", "agreement", "agreement_of_votes"]

"""Truth inference and agreement with NumPy and SciPy: arrays in, probabilities out."""

from labeling.aggregation.agreement import Agreement, agreement, agreement_of_votes
from labeling.aggregation.dawid_skene import Aggregate, aggregate

VERSION = 1  # counts the changes after which the same answers have other posteriors

__all__ = ["VERSION", "Aggregate", "Agreement", "aggregate", "agreement", "agreement_of_votes"]

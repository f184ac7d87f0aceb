"""Truth inference and agreement with NumPy and SciPy: arrays in, probabilities out."""

from labeling.aggregation.agreement import Agreement, agreement, agreement_of_votes
from labeling.aggregation.dawid_skene import Aggregate, aggregate
from labeling.aggregation.gold_check import GoldWarning

VERSION = 1  # counts the changes after which the same answers have other posteriors

__all__ = [
    "VERSION",
    "Aggregate",
    "Agreement",
    "GoldWarning",
    "aggregate",
    "agreement",
    "agreement_of_votes",
]

"""Bytes → image: decode, strip, hash, find near-duplicates, cut tiles."""

from labeling.images.decoding import Refused
from labeling.images.store import Arrival, Taken, add, add_many, preparer, there

__all__ = ["Arrival", "Refused", "Taken", "add", "add_many", "preparer", "there"]

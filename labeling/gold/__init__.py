"""Gold: pairs of a tile and a concept, and captions, whose truth is known.

Gold shows whether somebody can tell yes from no: it decides whether a challenge is passed, how
reliable annotators are, and whether probabilities mean what they say. It belongs to a pair: a
picture that is gold for one concept is asked like any other about the next.
"""

from labeling.gold.marking import (
    GoldError,
    Outcome,
    mark,
    mark_caption,
    mark_pairs,
    replace,
    set_aside,
    take_back,
    unmark,
)
from labeling.gold.need import Need, Progress, progress
from labeling.gold.proposals import propose
from labeling.gold.session import session
from labeling.gold.wall import GoldQuestion, wall

__all__ = [
    "GoldError",
    "GoldQuestion",
    "Need",
    "Outcome",
    "Progress",
    "mark",
    "mark_caption",
    "mark_pairs",
    "progress",
    "propose",
    "replace",
    "session",
    "set_aside",
    "take_back",
    "unmark",
    "wall",
]

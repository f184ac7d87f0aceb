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
from labeling.gold.rectangles import Marked, Rectangle, mark_rectangles
from labeling.gold.session import session, session_of_parts
from labeling.gold.wall import GoldQuestion, wall

__all__ = [
    "GoldError",
    "GoldQuestion",
    "Marked",
    "Need",
    "Outcome",
    "Progress",
    "Rectangle",
    "mark",
    "mark_caption",
    "mark_pairs",
    "mark_rectangles",
    "progress",
    "propose",
    "replace",
    "session",
    "session_of_parts",
    "set_aside",
    "take_back",
    "unmark",
    "wall",
]

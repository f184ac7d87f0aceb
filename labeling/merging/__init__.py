"""Merge synonyms: one concept takes over the questions, answers and names of another.

The first transaction renames: from then on nobody is asked about the merged concept, and its names
name the survivor. Then its questions are moved, a batch in a transaction; a worker goes on where
that is interrupted. A moved question leaves the merged concept's random slice, and enters the
survivor's once that comes to its picture: so both remain uniform samples.
"""

from labeling.merging.batches import Counts
from labeling.merging.service import Merged, finish, merge

__all__ = ["Counts", "Merged", "finish", "merge"]

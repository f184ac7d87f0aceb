"""Concepts, as the admin, the API and imports create and change them: one way for all.

A concept has a name and aliases, by which keywords and files name it. A new name is looked for
among the keywords of all pictures at once, and a new concept's pools are filled, so that the next
visitor is asked about it. Merging is in `labeling.merging`.
"""

from labeling.concepts.deletion import answers_count, delete, refusal
from labeling.concepts.edits import (
    create,
    create_missing,
    edit,
    follow_language,
    restate_prevalence,
    validate,
)
from labeling.concepts.lists import Added, add_lines
from labeling.concepts.names import ConceptError, Conflict, by_key, default_phrase
from labeling.concepts.statements import AT_ONCE, take_over, take_over_all

__all__ = [
    "AT_ONCE",
    "Added",
    "ConceptError",
    "Conflict",
    "add_lines",
    "answers_count",
    "by_key",
    "create",
    "create_missing",
    "default_phrase",
    "delete",
    "edit",
    "follow_language",
    "refusal",
    "restate_prevalence",
    "take_over",
    "take_over_all",
    "validate",
]

"""Which pictures that models drew teach the next one: those that people have judged.

They are kept apart from the real pictures of a snapshot: judges, prompts, held-out sets and the
search for near copies know real pictures alone, so that no model is measured by what another drew.
What is drawn from a prompt by which models are measured teaches nothing either, or people's answers
about such drawings would train for the test.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from training.engine.data.prompts import fixed_prompts, held_out_texts, same_words, unseen_pairs
from training.engine.data.rows import Drawings, Row, Snapshot

UNDECIDED = 0.1  # of ½: people contradict each other, and nothing is known of the drawing

Words = frozenset[str]


def with_drawings(snapshot: Snapshot, train: Sequence[Row], test: Sequence[Row]) -> Snapshot:
    """Return a snapshot of real pictures with the drawings that teach, of those in both splits."""
    if not (train or test):
        return snapshot
    left_out = Counter({"held_out": len(test)})
    prompts, colour_and_thing = _measuring(snapshot)
    rows = []
    for row in train:
        if reason := _reason(row, prompts, colour_and_thing):
            left_out[reason] += 1
        else:
            rows.append(replace(row, captions=(), tags=(), concepts={}))
    return replace(snapshot, drawings=Drawings(tuple(rows), dict(+left_out)))


def _measuring(snapshot: Snapshot) -> tuple[set[Words], list[Words]]:
    """Return the words of held-out texts, and the pairs of words that are measured as unseen."""
    pairs = unseen_pairs(snapshot, fixed_prompts(snapshot))
    return {same_words(text) for text in held_out_texts(snapshot)}, [frozenset(p) for p in pairs]


def _reason(row: Row, prompts: set[Words], pairs: Sequence[Words]) -> str:
    """Return why a drawing teaches nothing, by the keys of `learnt.LEFT_OUT`, or ""."""
    if row.shows_prompt is None:
        return "not_judged"
    if abs(row.shows_prompt - 0.5) < UNDECIDED:
        return "undecided"
    words = same_words(row.prompt)
    if words in prompts or any(pair <= words for pair in pairs):
        return "measures"
    return "" if row.path.is_file() else "gone"

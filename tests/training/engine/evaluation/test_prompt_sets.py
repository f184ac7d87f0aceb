"""Prompts for models that are held against each other."""

from pathlib import Path

from training.engine.data.rows import Row, Snapshot
from training.engine.evaluation import prompt_sets


def test_a_picture_without_text_is_asked_for_by_its_surest_concept_or_nothing() -> None:
    row = Row(Path("x"), (), ("cat",), {"cat": 0.9, "dog": 0.2})
    mute = Row(Path("y"), (), (), {"cat": 0.4})
    prompt_set = prompt_sets.of_held_out(Snapshot(Path(), (), (), (row, mute), "x"), 0, 6)
    assert prompt_set.prompts == ("cat",)
    alone = prompt_sets.of_held_out(Snapshot(Path(), (), (), (mute,), "x"), 0, 6)
    assert alone.prompts == ("",)
    assert not alone.has_several_texts

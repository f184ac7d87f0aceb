"""Prompts are those that a snapshot knows, and those that judges were not chosen by."""

from pathlib import Path

from tests.training.engine.gallery import UNSEEN
from training.engine.data.prompts import (
    fits_prompt,
    fixed_prompts,
    held_out,
    named_colour,
    unseen_pairs,
)
from training.engine.data.rows import Row, Snapshot


def row(caption: str, *tags: str) -> Row:
    return Row(Path("x"), ((caption, 0.9),), tags, {})


def test_prompts_are_those_that_the_snapshot_can_answer() -> None:
    rows = (row("red apple", "fruit"), row("cat face", "animal"), row("violin"))
    chosen = fixed_prompts(Snapshot(Path(), ("fruit",), rows, (), "x"))
    assert chosen[:2] == ("a red apple", "a cat")
    assert "a frog" not in chosen
    assert "violin" in chosen


def test_concepts_get_an_article_where_their_script_has_any() -> None:
    rows = (Row(Path("x"), (), (), {"三角 kite": 1.0, "orange": 1.0, "Ärmel": 1.0}),)
    chosen = fixed_prompts(Snapshot(Path(), ("三角 kite", "orange", "Ärmel"), rows, (), "x"))
    assert chosen == ("三角 kite", "an orange", "a Ärmel")


def test_spellings_that_differ_in_case_are_one_prompt() -> None:
    rows = (row("cat"), row("a CAT"), row("A Cat"), row("violin"))
    chosen = fixed_prompts(Snapshot(Path(), (), rows, (), "x"))
    assert [prompt.lower() for prompt in chosen].count("a cat") == 1


def test_a_picture_shows_a_prompt_whose_words_are_said_of_it() -> None:
    assert fits_prompt(row("red apple"), "a red apple")
    assert not fits_prompt(row("green apple"), "a red apple")


def test_pairs_never_seen_together_are_of_things_and_colours_that_are_known(
    gallery: Snapshot,
) -> None:
    prompts = ["a red square", "a disc", "a blue cross", "a unicorn"]
    assert set(unseen_pairs(gallery, prompts)) == UNSEEN
    assert unseen_pairs(gallery, ["a unicorn"]) == ()


def test_held_out_captions_are_those_that_training_never_saw_where_there_are_enough() -> None:
    def rows(start: int, count: int) -> tuple[Row, ...]:
        return tuple(
            Row(Path(f"{i}"), ((f"thing {i}", 0.9),), (), {}) for i in range(start, start + count)
        )

    some = Snapshot(Path(), (), rows(0, 20), rows(10, 25), "x")
    assert {row.path.name for row in held_out(some, 100)} == {str(i) for i in range(20, 35)}
    assert len(held_out(some, 4)) == 4
    few = Snapshot(Path(), (), rows(0, 20), rows(10, 15), "x")
    assert len(held_out(few, 100)) == 15


def test_a_caption_names_one_colour_or_none() -> None:
    assert named_colour(Row(Path("x"), (("a Red, round apple", 0.9),), (), {})) == "red"
    assert named_colour(Row(Path("x"), (("red and blue", 0.9),), (), {})) is None

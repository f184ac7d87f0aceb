"""Words that describe the same pictures lie close."""

from pathlib import Path

from training.engine.data.rows import Row
from training.engine.encoders import lsa


def row(caption: str, *tags: str) -> Row:
    return Row(Path("x"), ((caption, 0.9),), tags, {})


def test_words_said_of_the_same_pictures_lie_close() -> None:
    rows = [row("red apple", "fruit"), row("pear", "fruit"), row("grapes", "fruit")]
    rows += [row("car", "vehicle"), row("bus", "vehicle"), row("tram", "vehicle")]
    encode = lsa.fit(rows, "x").encode
    apple, pear, bus, nothing = encode(["an apple", "a pear", "a bus", "xyzzy"])
    assert apple @ pear > apple @ bus + 0.2
    assert not nothing.any()

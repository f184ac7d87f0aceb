"""What somebody wrote, made fit to be asked of others."""

import pytest

from labeling import captions


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a red bicycle", "a red bicycle"),
        ("  a\tred \n bicycle  ", "a red bicycle"),
        ("cafe\u0301", "caf\u00e9"),
        ("ein grünes Haus", "ein grünes Haus"),
        ("一只猫", "一只猫"),
        ("two cats & a dog, 3 < 4", "two cats & a dog, 3 < 4"),
        ("a cat 🐈 asleep", "a cat 🐈 asleep"),
        ("Mr. Net is com.pletely lost...", "Mr. Net is com.pletely lost..."),
    ],
)
def test_it_tidies_what_is_fit(text, clean):
    assert captions.clean(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "ab",
        "x" * 301,
        "123 456",
        "...",
        "null\0byte",
        "bell\a",
        "\ud800 lone",
        "\u202e backwards",
        "see http://example.org",
        "ftp://host/file",
        "www.example",
        "me@example.org",
        "example.com has it",
        "<b>bold</b> words",
        "<script src=x>",
        "a &lt; b is markup",
        "<!-- hidden -->",
    ],
)
def test_it_refuses_what_is_not(text):
    with pytest.raises(captions.CaptionRejected, match=r"^[A-Z].*\.$"):
        captions.clean(text)

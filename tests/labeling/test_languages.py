"""Language tags: well-formed ones, the one that suits a reader, how it is written."""

import pytest

from labeling import languages


@pytest.mark.parametrize(
    ("tag", "usual"),
    [("de", "de"), ("PT_br", "pt-BR"), ("zh-hANT-tw", "zh-Hant-TW"), ("de-1996", "de-1996")],
)
def test_a_tag_is_written_as_usual(tag: str, usual: str) -> None:
    assert languages.clean(tag) == usual


@pytest.mark.parametrize(
    "tag", ["", "d", "german", "de-", "de DE", "en-US-x", "<b>", "12", "e" * 99]
)
def test_what_is_no_tag_is_refused(tag: str) -> None:
    with pytest.raises(languages.LanguageError, match="no language tag"):
        languages.clean(tag)


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("de-AT,en;q=0.5", "de"),
        ("pt", "pt-BR"),
        ("fr, en-GB;q=0.8, de;q=0.7", "en"),
        ("de;q=0.1, ar", "ar"),
        ("de;q=0", "en"),
        ("*", "en"),
        ("", "en"),
        ("\x00;;;q=x", "en"),
    ],
)
def test_a_reader_gets_the_offered_language_that_suits_best(header: str, chosen: str) -> None:
    wanted = languages.accepted(header)
    assert languages.choose(wanted, ["ar", "de", "pt-BR"], default="en") == chosen


@pytest.mark.parametrize(
    ("tag", "direction"),
    [("ar", "rtl"), ("he-IL", "rtl"), ("az-Arab", "rtl"), ("ar-Latn", "ltr"), ("en", "ltr")],
)
def test_arabic_is_written_from_right_to_left(tag: str, direction: str) -> None:
    assert languages.direction(tag) == direction

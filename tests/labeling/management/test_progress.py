import sys

import pytest

from labeling.management import progress


def test_without_a_terminal_it_says_a_line_now_and_then(monkeypatch, capsys):
    clock = iter([0.0, 6.0, 12.0, 18.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert list(progress.bar("abc", "letters", 3)) == ["a", "b", "c"]
    assert capsys.readouterr().err.splitlines() == [
        "letters: 1 of 3, about 12 seconds left",
        "letters: 2 of 3, about 6 seconds left",
        "letters: 3 of 3, about 1 second left",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "about 1 second"),
        (7.4, "about 7 seconds"),
        (61, "about 1 minute"),
        (150, "about 2 minutes"),
    ],
)
def test_times_are_said_in_whole_seconds_or_minutes(seconds, text):
    assert progress.about(seconds) == text


def test_what_is_quick_says_nothing(capsys):
    assert list(progress.bar(range(3), "numbers", 3)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_on_a_terminal_it_draws_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress.bar(range(3), "numbers", 3)) == [0, 1, 2]
    assert "numbers: 100%" in capsys.readouterr().err

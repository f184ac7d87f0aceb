import sys

from labeling.management import progress


def test_without_a_terminal_it_says_a_line_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    assert list(progress.bar("ab", "letters", 2)) == ["a", "b"]
    assert capsys.readouterr().err == "letters: 1 of 2\nletters: 2 of 2\n"


def test_what_is_quick_says_nothing(capsys):
    assert list(progress.bar(range(3), "numbers", 3)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_on_a_terminal_it_draws_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress.bar(range(3), "numbers", 3)) == [0, 1, 2]
    assert "numbers: 100%" in capsys.readouterr().err

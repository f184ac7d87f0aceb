import pytest

from config.management import steps


def test_a_step_says_how_long_it_takes_on_a_machine_as_quick_as_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(steps, "_age", lambda: 2.0)
    announced = steps.Steps(lines.append)
    announced.begin("Creating the tables", times=1.6)
    announced.begin("Fetching the pictures")
    assert lines == ["Creating the tables, about 3 seconds.", "Fetching the pictures."]


def test_the_start_lies_in_the_past() -> None:
    assert 0 < steps._age() < 24 * 3600

"""An installation that has been set up, so that everybody may sign up."""

import pytest


@pytest.fixture(autouse=True)
def is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Say that there is an administrator, whom these tests need not count."""
    from labeling.accounts import set_up

    monkeypatch.setattr(set_up, "is_needed", lambda: False)

"""A snapshot that is exported."""

from pathlib import Path

import pytest

from tests.labeling.exports import frozen


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Return the folder of a snapshot of twelve pictures."""
    return frozen.write(tmp_path / "snapshot")

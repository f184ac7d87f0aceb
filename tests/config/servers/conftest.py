from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.servers.embedded import gone
from tests.waiting import wait_until


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """Give a data folder that does not exist yet; its servers have to be gone in the end."""
    folder = tmp_path / "data"
    yield folder
    wait_until(lambda: gone(folder))

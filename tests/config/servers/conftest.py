from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.config.servers.embedded import eventually, gone


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """Give a data folder that does not exist yet; its servers have to be gone in the end."""
    folder = tmp_path / "data"
    yield folder
    eventually(lambda: gone(folder))

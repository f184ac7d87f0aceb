"""Tiny snapshots, finished runs on them, and a CLIP: no Django, nothing from a network."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.training.engine.gallery import write_gallery
from tests.training.engine.runs import LONG, write_pairs, write_run, write_snapshot
from training.__main__ import main
from training.engine.data.pairs import of_pairs
from training.engine.data.rows import Snapshot
from training.engine.data.snapshot import read_snapshot
from training.engine.encoders.libraries import open_clip

RunMaker = Callable[..., Path]

TINY_CLIP = {
    "embed_dim": 24,
    "vision_cfg": {
        "image_size": 32,
        "patch_size": 16,
        "layers": 1,
        "width": 32,
        "head_width": 16,
    },
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="session")
def snapshot_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write coloured squares as a snapshot."""
    return write_snapshot(tmp_path_factory.mktemp("snapshot") / "squares")


@pytest.fixture(scope="session")
def snapshot(snapshot_folder: Path) -> Snapshot:
    """Read the coloured squares."""
    return read_snapshot(snapshot_folder)


@pytest.fixture(scope="session")
def pairs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write pairs of squares, of which each colour belongs with another."""
    return write_pairs(tmp_path_factory.mktemp("snapshot") / "pairs")


@pytest.fixture(scope="session")
def pairs(pairs_folder: Path) -> Snapshot:
    """Read the pairs of squares."""
    return of_pairs(read_snapshot(pairs_folder))


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """Read a snapshot of shapes in colours, of which some pairs are never seen."""
    return read_snapshot(write_gallery(tmp_path_factory.mktemp("gallery") / "snapshot"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for packed pictures and embeddings, shared by all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def make_run(tmp_path: Path, snapshot_folder: Path, cache: Path) -> RunMaker:
    """Write a run folder with a config.json; keywords replace its values."""
    return lambda **changes: write_run(tmp_path / "run", snapshot_folder, cache, **changes)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory, snapshot_folder: Path, cache: Path) -> Path:
    """Fit a diffusion run without a break, and return its folder."""
    folder = tmp_path_factory.mktemp("runs") / "diffusion"
    write_run(folder, snapshot_folder, cache, options=LONG)
    with restored():
        assert main(["fit", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def contrasted(
    tmp_path_factory: pytest.TempPathFactory, snapshot_folder: Path, cache: Path
) -> Path:
    """Fit a clip run, and return its folder."""
    folder = tmp_path_factory.mktemp("runs") / "clip"
    write_run(folder, snapshot_folder, cache, recipe="clip")
    with restored():
        assert main(["fit", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return the description and the checkpoint of an open_clip model with random weights."""
    folder = tmp_path_factory.mktemp("tiny")
    description, weights = folder / "tiny-clip.json", folder / "weights.safetensors"
    description.write_text(json.dumps(TINY_CLIP))
    module = open_clip()
    module.add_model_config(description)
    torch.manual_seed(0)
    save_file(module.create_model("tiny-clip").state_dict(), weights)
    return str(description), str(weights)


@contextmanager
def restored() -> Iterator[None]:
    """Put back the signal handler and the threads, which the command line sets."""
    handler, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    signal.signal(signal.SIGTERM, handler)
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def restored_process() -> Iterator[None]:
    with restored():
        yield

"""What stays from one inference to the next: shards, and what was learned from them."""

import fcntl
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answers import Floats
from labeling.aggregation.design_effect import Excess
from labeling.aggregation.em import Crowd
from labeling.aggregation.label_accuracy import Labels
from labeling.aggregation.sharded import stored
from labeling.aggregation.sharded.preparing import Contents, Meaning, Tally
from labeling.aggregation.tables import TableError

# files of the folder
MARK, MANIFEST, STATE = "shards-of-labeling-aggregation", "manifest.json", "state"
FOLDERS = "shard-", "dealt-"  # as what is in it begins

Say = Callable[[str], None]
Stamp = tuple[int, int, tuple[str, ...]]  # bytes of a file, when it was written (ns), its columns


@dataclass(eq=False)
class Shard:
    """A share of the tasks, and what the last passes said of it."""

    name: str  # of its folder
    contents: Contents
    tally: Tally = field(default_factory=Tally.nothing)
    excess: Excess = field(default_factory=Excess)
    posteriors: Floats = field(default_factory=lambda: np.zeros((0, 0)))  # (G, K) without gold
    truth: npt.NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))  # (G,)
    total: Floats = field(default_factory=lambda: np.zeros(0))  # (K,) sum of the posteriors
    labels: Labels = field(default_factory=lambda: Labels(np.zeros(0), np.zeros(0, np.intp)))


@dataclass(eq=False)
class State:
    """What was inferred last."""

    files: dict[str, Stamp]  # that were read
    copies: int  # answers in files that are copies of others
    gold: Mapping[str, str]
    merge_classes: bool
    meaning: Meaning
    crowd: Crowd
    shards: list[Shard]

    @property
    def read(self) -> int:
        """How many answers were read, but those in copies of files."""
        return sum(shard.contents.read for shard in self.shards)


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Have a folder to oneself, which is empty or was filled here. Raises TableError."""
    mark = folder / MARK
    if not mark.exists():
        if any(folder.iterdir()):
            raise TableError(f"{folder} holds other files: name a folder for the shards alone.")
        folder.chmod(0o700)
    draft = folder / f".{MARK}.{os.getpid()}"
    path = mark if mark.exists() else draft
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TableError(
                f"{folder} is in use: wait for the other inference, or name another folder."
            ) from None
        if path == draft:  # which has its name only when it is locked
            draft.rename(mark)
        yield


def read(folder: Path, say: Say) -> State | None:
    """Return what was inferred last; None where nothing was, or it was broken off, and says why.

    Raises TableError where others could have written it.
    """
    if not (folder / MANIFEST).exists():
        return None
    _check_owner(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["code"] != _code():
            say("What was kept is of another version: everything is inferred anew.")
            return None
        if manifest["sizes"].items() - _sizes(folder).items():
            raise EOFError
        state: State = stored.load(folder / STATE)
    except Exception:  # damaged objects raise anything
        say("What was kept is damaged: everything is inferred anew.")
        return None
    _remove(folder, but=[shard.name for shard in state.shards])
    return state


def write(folder: Path, state: State) -> None:
    """Keep what was inferred; remove what does not belong to it."""
    stored.save(folder / STATE, state)
    _remove(folder, but=[shard.name for shard in state.shards])
    draft = folder / f".{MANIFEST}"
    draft.write_text(json.dumps({"code": _code(), "sizes": _sizes(folder)}))
    draft.chmod(0o600)
    draft.replace(folder / MANIFEST)


def clear(folder: Path) -> None:
    """Remove all shards, and what was learned from them."""
    for name in MANIFEST, STATE:
        (folder / name).unlink(missing_ok=True)
    _remove(folder, but=[])


def _remove(folder: Path, *, but: Collection[str]) -> None:
    """Remove folders of shards that were made here."""
    for path in folder.iterdir():
        if path.name.startswith(FOLDERS) and path.name not in but:
            shutil.rmtree(path)


def _check_owner(folder: Path) -> None:
    """Raise TableError where others could have written what is read, or can change it."""
    for path in [folder, *folder.rglob("*")]:
        found = path.stat() if path == folder else path.lstat()
        others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and path.suffix != ".parquet"
        if found.st_uid != os.geteuid() or others:
            raise TableError(
                f"{path} may have been written by others, and holds Python objects, which could "
                "run anything: name another folder, which only you can write."
            )


def _sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of each file of the shards, and of what was learned from them."""
    paths = [folder / STATE, *folder.glob("shard-*/*")]
    return {str(path.relative_to(folder)): path.stat().st_size for path in paths if path.exists()}


def _code() -> str:
    """Return a digest of the code that reads and writes objects."""
    digest = sha256(f"{sys.version} {np.__version__}".encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()

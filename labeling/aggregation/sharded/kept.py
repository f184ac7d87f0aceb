"""What stays from one inference to the next: shards, and what was learned from them."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.aggregation.answers import Floats
from labeling.aggregation.design_effect import Excess
from labeling.aggregation.em import Crowd
from labeling.aggregation.sharded import stored
from labeling.aggregation.sharded.preparing import Contents, Meaning, Tally

STATE, MARK = "state", "shards-of-labeling-aggregation"  # files of the folder

Stamp = tuple[int, int]  # bytes of a file, and when it was written (ns)


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


@dataclass(eq=False)
class State:
    """What was inferred last."""

    files: dict[str, Stamp]  # that were read
    copies: int  # answers in files that are copies of others
    gold: Mapping[str, str]
    meaning: Meaning
    crowd: Crowd
    shards: list[Shard]

    @property
    def read(self) -> int:
        """How many answers were read, but those in copies of files."""
        return sum(shard.contents.read for shard in self.shards)


def is_ours(folder: Path) -> bool:
    """Whether a folder is empty, or was filled here; it is then marked."""
    if any(folder.iterdir()) and not (folder / MARK).exists():
        return False
    (folder / MARK).touch()
    return True


def read(folder: Path) -> State | None:
    """Return what was inferred last; None where nothing was, or it was broken off."""
    path = folder / STATE
    state: State | None = stored.load(path) if path.exists() else None
    return state


def write(folder: Path, state: State) -> None:
    """Keep what was inferred; remove what does not belong to it."""
    stored.save(folder / STATE, state)
    names = {shard.name for shard in state.shards}
    for path in folder.iterdir():
        if path.is_dir() and path.name not in names:
            shutil.rmtree(path)


def clear(folder: Path) -> None:
    """Remove everything but the mark."""
    (folder / STATE).unlink(missing_ok=True)
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != MARK:
            path.unlink()

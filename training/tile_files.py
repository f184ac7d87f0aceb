"""Files about a project's tiles for child processes: their pictures, and what was seen of them."""

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from safetensors import safe_open

from labeling import picture_cache
from labeling.features import Ids
from labeling.models import Tile

BATCH = 2000  # rows that are held at once
LEFT_AFTER = 7 * 24 * 3600.0  # seconds from which on nobody works in a folder any more


def work_folder() -> Path:
    """Return the folder that child processes' files lie in; what killed workers left goes."""
    work = Path(settings.CACHE_ROOT) / "intake"
    work.mkdir(parents=True, exist_ok=True)
    for folder in work.iterdir():
        if folder.stat().st_mtime < time.time() - LEFT_AFTER:
            shutil.rmtree(folder, ignore_errors=True)
    return work


def concept_lines(phrases: dict[int, str]) -> Iterator[dict[str, Any]]:
    """Yield a line for each concept, by its id and phrase."""
    for concept, phrase in phrases.items():
        yield {"concept": concept, "text": phrase}


@dataclass(frozen=True)
class Seen:
    """What other processes saw of tiles, in files of `python -m training see`."""

    files: Sequence[Path]
    tiles: Ids  # (n,) rising

    @classmethod
    def of(cls, files: Sequence[Path]) -> "Seen":
        """Find out which tiles files are about. Raises OSError or SafetensorError."""
        tiles = [np.zeros(0, np.int64)]
        for path in files:
            with safe_open(path, framework="np") as file:
                tiles.append(file.get_tensor("tiles"))
        return cls(files, np.sort(np.concatenate(tiles)))

    def __contains__(self, tile: Tile) -> bool:
        place = int(np.searchsorted(self.tiles, tile.pk))
        return place < len(self.tiles) and bool(self.tiles[place] == tile.pk)

    def option(self, work: Path) -> list[str]:
        """Return the option that names the files, as links in a folder within `work`."""
        if not self.files:
            return []
        folder = work / "seen"
        folder.mkdir()
        for number, file in enumerate(self.files):
            (folder / f"{number:09}.safetensors").symlink_to(file.resolve())
        return ["--seen", str(folder)]


NOTHING = Seen([], np.zeros(0, np.int64))


class LocalFiles:
    """Files of tiles in the order of their images: each is fetched once, and stays for the task.

    The picture of a tile that was seen is not fetched for it.
    """

    def __init__(self, seen: Seen = NOTHING) -> None:
        self._image_id, self._path, self._seen = 0, "", seen
        picture_cache.keep_images()

    def place(self, tile: Tile) -> dict[str, Any]:
        """Return the image's local path, and the tile's box in its pixels; None: all of it.

        Wholes have the keys of the snapshots' pictures, by which what was seen of them is kept.
        """
        box = None if tile.grid == 1 else [tile.left, tile.top, tile.width, tile.height]
        if tile in self._seen:
            return {"image": str(tile.image.file.name), "box": box}
        if tile.image_id != self._image_id:
            path = picture_cache.fetch(str(tile.image.file.name))
            self._image_id, self._path = tile.image_id, str(path.resolve())
        return {"image": self._path, "box": box}

"""Find the pictures that the tasks of a file of answers are about."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from urllib.parse import parse_qs, unquote, urlsplit

from labeling.aggregation.tables import shown
from labeling.imports.entries import By, Reference
from labeling.imports.joining import Pictures
from labeling.imports.paths import normal
from labeling.models import Project

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")  # which Label Studio puts before an upload's name


class Tasks:
    """The pictures of a project that these tasks may mean.

    A task is a path, or its end, from some folder on; a SHA-256; or a file name that one picture
    alone has. It may be an address, whose path counts.
    """

    def __init__(self, project: Project, tasks: Collection[str]) -> None:
        self.project = project
        self.paths = {task: path_of(task) for task in tasks}
        self.hashes: dict[str, int] = {}
        self.own: dict[str, set[int]] = defaultdict(set)
        self.copies: dict[str, set[int]] = defaultdict(set)
        self._gather({task.lower() for task in tasks if _SHA256.fullmatch(task)})
        self.pictures = Pictures.of({*self.own, *self.copies})
        for path in set(self.paths.values()):
            self.pictures.expect(Reference(path, By.END))

    def find(self, task: str) -> tuple[int | None, str]:
        """Return the picture's id, or None and why there is none."""
        if pk := self.hashes.get(task.lower()):
            return pk, ""
        path = self.paths[task]
        places = self.pictures.find(Reference(path, By.END))
        folder, slash, name = path.rpartition("/")
        if not places and _UPLOADED.match(name):
            bare = f"{folder}{slash}{_UPLOADED.sub('', name, count=1)}"
            places = self.pictures.find(Reference(bare, By.END))
        found = {pk for place in places for pk in self.own.get(place) or self.copies[place]}
        if len(found) == 1:
            return found.pop(), ""
        reason = (
            f"fits {len(found):,} pictures: give its path or its SHA-256"
            if found
            else f"is no picture of {self.project.slug}"
        )
        return None, f"{shown(task)!r} {reason}"

    def _gather(self, hashes: Collection[str]) -> None:
        """Go through the project's pictures, and keep those that a task may name."""
        names = {name for path in self.paths.values() for name in _names(path)}
        images = self.project.images.filter(generated=False).order_by()
        columns = "pk", "source", "further_sources", "sha256", "source_sha256"
        for pk, source, further, *own_hashes in images.values_list(*columns).iterator():
            self.hashes |= {each: pk for each in own_hashes if each in hashes}
            for place in _of_names([source], names):
                self.own[place].add(pk)
            for place in _of_names(further, names):
                self.copies[place].add(pk)


def path_of(task: str) -> str:
    """Return the path that a task names, in its normal form: of an address, its path."""
    text = task.strip()
    if "://" in text or text.startswith("/"):
        parts = urlsplit(text)
        local = parse_qs(parts.query).get("d")  # as Label Studio serves local files
        text = local[0] if local else unquote(parts.path)
    return normal(text).strip("/")


def _names(path: str) -> tuple[str, str]:
    name = path.rpartition("/")[2].casefold()
    return name, _UPLOADED.sub("", name, count=1)


def _of_names(paths: Iterable[str], names: Collection[str]) -> list[str]:
    normals = [normal(path) for path in paths]
    return [path for path in normals if path.rpartition("/")[2].casefold() in names]

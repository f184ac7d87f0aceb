"""The difference of two snapshots: pictures that came and went, labels and captions that changed.

Both are read once, side by side, in the order of their pictures: of each a row is held at a time.
Lines that are equal are not even parsed. What is found is kept in the storage, in a folder of its
own, since snapshots never change; pages of it are read from there. What is counted is checked: what
the first holds, less what went, with what came, is what the second holds, by split, concept and
label.
"""

import json
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

from labeling import json_lines, snapshot_folder, snapshots, stored_folders
from labeling.folder_deletions import DIFFERENCES
from labeling.models import Snapshot
from labeling.snapshot_folder import MANIFEST, METADATA, SPLITS, Row, SnapshotError
from labeling.stored_folders import FolderMissing

PAGE = 50  # changes
SCANNED = 20_000  # changes, at most, that are looked through for those that filters leave
AT_ONCE = 20_000  # pictures of both, up to which they are compared while somebody waits
KINDS = "added", "removed", "changed"
ABSENT = "absent"  # the label of a concept or a picture that is not there
CHANGES, TOTALS = "changes.jsonl", "totals.json"

Change = dict[str, Any]


class CountsDiffer(RuntimeError):
    """The changes do not account for what the second snapshot holds."""


class UnknownPosition(ValueError):
    """A page was asked for that does not begin where a change does."""


@dataclass(frozen=True)
class Filters:
    """Which changes are shown; what is empty leaves them all."""

    kind: str = ""
    split: str = ""
    concept: str = ""

    def let_through(self, change: Change) -> bool:
        """Return whether a change is shown."""
        concepts: set[str] = {label["concept"] for label in change["labels"]}
        return bool(
            self.kind in {"", change["kind"]}
            and self.split in {"", *change["split"].values()}
            and self.concept in {"", *concepts}
        )


class Page(NamedTuple):
    """Some changes, and where the next page begins; None: nothing is left."""

    changes: list[Change]
    after: int | None


@dataclass(frozen=True)
class Difference:
    """What was found of two snapshots."""

    folder: Path
    totals: dict[str, Any]

    def page(self, *, after: int = 0, filters: Filters | None = None, size: int = PAGE) -> Page:
        """Return the changes from a position on, which is 0 or what a page said.

        With filters it may hold less than `size`, or nothing, though more are left. Raises
        UnknownPosition.
        """
        chosen = filters or Filters()
        changes: list[Change] = []
        with (self.folder / CHANGES).open("rb") as file:
            _seek(file, after)
            for _ in range(SCANNED):
                line = file.readline()
                if not line:
                    return Page(changes, None)
                change = json.loads(line)
                if chosen.let_through(change):
                    changes.append(change)
                if len(changes) == size:
                    break
            position = file.tell()
            return Page(changes, position if file.read(1) else None)


def find(first: Snapshot, second: Snapshot) -> Difference | None:
    """Return the difference of two snapshots where it was found before. Raises StorageAway."""
    try:
        folder = stored_folders.fetch(_name(first, second))
        return Difference(folder, json.loads((folder / TOTALS).read_text(encoding="utf-8")))
    except (FolderMissing, OSError, ValueError):
        return None


def is_quick(first: Snapshot, second: Snapshot) -> bool:
    """Return whether two snapshots are small enough to be compared at once."""
    pictures: int = sum(each.counts.get("images", 0) for each in (first, second))
    return pictures <= AT_ONCE


def compare(first: Snapshot, second: Snapshot) -> Difference:
    """Return the difference of two ready snapshots; find it unless it was found before.

    Raises SnapshotError where a folder is gone or is not as it was frozen, and StorageAway.
    """
    known = find(first, second)
    if known is not None:
        return known
    before, after = (snapshots.local_folder(each, only=_rows(each)) for each in (first, second))
    name = _name(first, second)
    draft = stored_folders.working(f"{DIFFERENCES}/.draft-{secrets.token_hex(8)}")
    try:
        totals = write(before, after, draft)
        if find(first, second) is None:  # somebody else may have been first
            stored_folders.put(draft, name, move=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Difference(stored_folders.fetch(name), totals)


def _rows(snapshot: Snapshot) -> list[str]:
    """Return the files of a snapshot that are compared: none of its pictures."""
    names = [f"{split}/{METADATA}" for split in SPLITS if snapshot.counts.get(split, 0)]
    return [MANIFEST, *names]


def write(first: Path, second: Path, out: Path) -> dict[str, Any]:
    """Write the difference of two snapshots' folders into a new folder; return the totals.

    Raises SnapshotError, and CountsDiffer.
    """
    before, after = (snapshot_folder.read_header(folder) for folder in (first, second))
    totals = _Totals()
    with (out / CHANGES).open("wb") as file:
        for old, new in _pairs(first, second):
            change = totals.add(old, new)
            if change:
                file.write(json_lines.dumps([change]))
    result = totals.checked(before, after)
    (out / TOTALS).write_text(json.dumps(result), encoding="utf-8")
    return result


class _Line(NamedTuple):
    """A line of metadata, which is parsed where it has to be."""

    name: str  # of its file: what rows are ordered by
    split: str
    line: bytes

    @property
    def row(self) -> Row:
        return snapshot_folder.parse_row(self.line)


def _pairs(first: Path, second: Path) -> Iterator[tuple[_Line | None, _Line | None]]:
    """Yield the lines of each picture in both; None where one does not hold it."""
    left, right = _lines(first), _lines(second)
    old, new = next(left, None), next(right, None)
    while old or new:
        if new is None or (old and old.name < new.name):
            yield old, None
            old = next(left, None)
        elif old is None or new.name < old.name:
            yield None, new
            new = next(right, None)
        else:
            yield old, new
            old, new = next(left, None), next(right, None)


def _lines(folder: Path) -> Iterator[_Line]:
    """Yield the lines of both splits in the order of their file names. Raises SnapshotError."""
    return merge(*(_split_lines(folder, split) for split in SPLITS))


def _split_lines(folder: Path, split: str) -> Iterator[_Line]:
    path, before = folder / split / METADATA, ""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            name = snapshot_folder.file_name_of(line)
            if name <= before:
                raise SnapshotError(f"{path} is not in the order of its file names.")
            before = name
            yield _Line(name, split, line)


@dataclass
class _Totals:
    """What the changes add up to."""

    kinds: Counter[str] = field(default_factory=Counter)
    pictures: Counter[tuple[str, str]] = field(default_factory=Counter)  # split from, to
    labels: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    captions: Counter[str] = field(default_factory=Counter)

    def add(self, old: _Line | None, new: _Line | None) -> Change | None:
        """Count what became of a picture; return the change, None where there is none to show."""
        if old and new and old.split == new.split and old.line == new.line:
            self.kinds["same"] += 1
            return None
        change = _change(old, new)
        self.kinds[change["kind"]] += 1
        self._count_labels(change)
        if change["split"]["from"] != change["split"]["to"]:
            self.pictures[change["split"]["from"], change["split"]["to"]] += 1
        self.captions.update({name: len(rows) for name, rows in change["captions"].items()})
        return change if change["kind"] in KINDS else None

    def _count_labels(self, change: Change) -> None:
        """Count labels by split: what changes its split goes from one and comes to the other."""
        old, new = change["split"]["from"], change["split"]["to"]
        all_labels = change.pop("all_labels")
        for concept, before, after in all_labels:
            if old == new and before != after:
                self.labels[old, concept, before, after] += 1
            elif old != new and before != ABSENT:
                self.labels[old, concept, before, ABSENT] += 1
            if old != new and after != ABSENT:
                self.labels[new, concept, ABSENT, after] += 1

    def checked(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        """Return the totals as JSON. Raises CountsDiffer where they do not add up."""
        self._check_pictures(before["counts"], after["counts"])
        self._check_labels(before.get("labels", {}), after.get("labels", {}))
        return {
            "pictures": {
                "from": before["counts"]["images"],
                "to": after["counts"]["images"],
                **{kind: self.kinds[kind] for kind in (*KINDS, "confidence", "same")},
            },
            "splits": {
                split: {
                    "from": before["counts"][split],
                    "to": after["counts"][split],
                    "came": sum(n for (_, to), n in self.pictures.items() if to == split),
                    "went": sum(n for (of, _), n in self.pictures.items() if of == split),
                }
                for split in SPLITS
            },
            "captions": dict(self.captions),
            "labels": [
                {"split": split, "concept": concept, "from": old, "to": new, "pictures": count}
                for (split, concept, old, new), count in sorted(self.labels.items())
            ],
            "concepts": {
                "added": sorted(set(after["concepts"]) - set(before["concepts"])),
                "removed": sorted(set(before["concepts"]) - set(after["concepts"])),
            },
        }

    def _check_pictures(self, before: dict[str, int], after: dict[str, int]) -> None:
        kept = sum(self.kinds[kind] for kind in ("changed", "confidence", "same"))
        found = kept + self.kinds["removed"], kept + self.kinds["added"]
        if found != (before["images"], after["images"]):
            raise CountsDiffer(
                f"{found[0]:,} and {found[1]:,} pictures were compared, not "
                f"{before['images']:,} and {after['images']:,}."
            )

    def _check_labels(self, before: Any, after: Any) -> None:
        expected = _flat(after)
        found = _flat(before)
        for (split, concept, old, new), count in self.labels.items():
            found[split, concept, old] -= count
            found[split, concept, new] += count
        for key in found.keys() | expected.keys():
            if key[2] != ABSENT and found[key] != expected[key]:
                raise CountsDiffer(
                    f"{key[1]}: {found[key]:,} pictures of {key[0]} have the label “{key[2]}” by "
                    f"the changes, and {expected[key]:,} in the snapshot."
                )


def _flat(labels: dict[str, dict[str, dict[str, int]]]) -> Counter[tuple[str, str, str]]:
    return Counter(
        {
            (split, concept, label): count
            for split, concepts in labels.items()
            for concept, counts in concepts.items()
            for label, count in counts.items()
        }
    )


def _change(old: _Line | None, new: _Line | None) -> Change:
    """Return what became of a picture, with the labels of all concepts in `all_labels`."""
    before, after = (each.row if each else None for each in (old, new))
    row = after or before
    assert row is not None
    labels = _labels(before, after)
    change: Change = {
        "file_name": row["file_name"],
        "source": row["source"],
        "kind": "removed" if after is None else "added" if before is None else "changed",
        "split": {"from": old.split if old else None, "to": new.split if new else None},
        "labels": [each for each in labels if _is_shown(each)],
        "captions": _captions(before, after),
        "columns": _columns(before, after) if before and after else [],
        "all_labels": [(each["concept"], each["from"], each["to"]) for each in labels],
    }
    if before and after and change["kind"] == "changed":
        change["kind"] = _kind(before, after, change)
    return change


# Columns that are shown by themselves, or not; of boxes see `_shown_boxes`.
_UNSHOWN = frozenset({"concepts", "captions", "in_part", "n_answers", "text", "boxes"})


def _kind(before: Row, after: Row, change: Change) -> str:
    """Return what became of a picture that both hold: it changed, or how sure its labels are."""
    if before == after and change["split"]["from"] == change["split"]["to"]:
        return "same"  # but for placeholders
    shown = change["labels"] or any(change["captions"].values()) or change["columns"]
    if shown or change["split"]["from"] != change["split"]["to"]:
        return "changed"
    return "confidence"


def _columns(before: Row, after: Row) -> list[str]:
    """Return which other columns differ, such as tags or the licence."""
    columns = (before.keys() | after.keys()) - _UNSHOWN
    different = [name for name in columns if before.get(name) != after.get(name)]
    if _shown_boxes(before) != _shown_boxes(after):
        different.append("boxes")
    return sorted(different)


def _shown_boxes(row: Row) -> list[tuple[Any, ...]]:
    """Return what the boxes of a row show, without how sure that is."""
    return [
        (box["left"], box["top"], box["width"], box["height"], box["label"])
        for box in row["boxes"]
        if box["probability"] >= 0.5
    ]


def _labels(before: Row | None, after: Row | None) -> list[dict[str, Any]]:
    """Return the labels of each concept that either row names, with their confidence."""
    old, new = (snapshot_folder.labels(row) if row else {} for row in (before, after))
    absent: tuple[str, float | None] = (ABSENT, None)
    labels = []
    for name in sorted(old.keys() | new.keys()):
        (was, sure), (is_now, sure_now) = old.get(name, absent), new.get(name, absent)
        labels.append(
            {
                "concept": name,
                "from": was,
                "from_confidence": _rounded(sure),
                "to": is_now,
                "to_confidence": _rounded(sure_now),
            }
        )
    return labels


def _is_shown(label: dict[str, Any]) -> bool:
    """Return whether a label is worth a line: it changed, and says more than that a "no" is new."""
    if label["from"] == label["to"]:
        return False
    return {label["from"], label["to"]} != {"no", ABSENT}


def _captions(before: Row | None, after: Row | None) -> dict[str, list[dict[str, Any]]]:
    """Return the captions that only one of two rows has."""
    old, new = (
        {caption["text"]: caption for caption in (row["captions"] if row else ())}
        for row in (before, after)
    )
    return {
        "added": [new[text] for text in new if text not in old],
        "removed": [old[text] for text in old if text not in new],
    }


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 4)


def _name(first: Snapshot, second: Snapshot) -> str:
    return f"{DIFFERENCES}/{first.sha256}-{second.sha256}"


def _seek(file: Any, position: int) -> None:
    """Go to the beginning of a line. Raises UnknownPosition for any other place."""
    if position:
        file.seek(position - 1)
        if file.read(1) != b"\n":
            raise UnknownPosition("No page begins there: begin with the first one.")

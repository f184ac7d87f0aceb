"""Read a plain folder of pairs: two folders of equally named pictures, or a ``pairs.csv``.

``a/ada.png`` belongs with ``b/ada.jpg``; ``labeling.pair_order`` tells which folder holds the first
halves. ``pairs.csv`` has the columns ``first`` and ``second``, and ``caption`` where there
are texts; its paths start from its own folder. ``a/ada.txt`` may hold the text of a pair.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from labeling import pair_order
from training.engine.data import folders
from training.engine.data.rows import Row, Snapshot
from training.engine.files import TrainingError

TABLE = "pairs.csv"
NAMED = 5  # pictures that an error names, at most


class _Pair(NamedTuple):
    first: Path
    second: Path
    caption: str


def holds_pairs(folder: Path) -> bool:
    """Return whether the folder holds pairs rather than single pictures."""
    if (folder / TABLE).is_file():
        return True
    return not folders.holds_pictures(folder) and len(_halves(folder)) == 2


def read_pairs(folder: Path) -> Snapshot:
    """Read the folder as a snapshot of pairs alone.

    Raise ``TrainingError`` that names what is missing: a half, or a picture of the table. A pair
    counts once; which are held out for judges depends on the content of their first halves alone.
    """
    listed = (folder / TABLE).is_file()
    pairs = list(_of_table(folder / TABLE) if listed else _of_folders(*_sides(folder)))
    if not pairs:
        raise TrainingError(f"{folder} holds no pairs: write some into {TABLE}.")
    by_content = {row.content: row for row in map(_row, pairs)}
    rows = [by_content[content] for content in sorted(by_content)]
    large = len(rows) >= folders.HELD_OUT_FROM
    return Snapshot(
        folder=folder,
        concepts=(),
        train=tuple(row for row in rows if not (large and folders.is_held_out(row))),
        test=tuple(row for row in rows if large and folders.is_held_out(row)),
        digest=folders.digest(rows),
    )


def _halves(folder: Path) -> list[Path]:
    """Return the folders in a folder that hold pictures, by name."""
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []
    return [path for path in inside if path.is_dir() and folders.holds_pictures(path)]


def _sides(folder: Path) -> tuple[Path, Path]:
    """Return the folders of the first and of the second halves."""
    one, other = (path.name for path in _halves(folder))
    try:
        first, second = pair_order.ordered(one, other)
    except pair_order.OrderError as error:
        raise TrainingError(
            f"In {folder}: {error} Rename them, to 1-{one} and 2-{other} say, or write a {TABLE}."
        ) from None
    return folder / first, folder / second


def _of_folders(first: Path, second: Path) -> Iterator[_Pair]:
    """Yield the pictures of the same stem."""
    firsts, seconds = _by_stem(first), _by_stem(second)
    alone = [firsts[stem] for stem in sorted(firsts.keys() - seconds.keys())]
    alone += [seconds[stem] for stem in sorted(seconds.keys() - firsts.keys())]
    if alone:
        names = ", ".join(f"{path.parent.name}/{path.name}" for path in alone[:NAMED])
        more = f" and {len(alone) - NAMED:,} more" if len(alone) > NAMED else ""
        raise TrainingError(
            f"{first.parent} has pictures without another half: {names}{more}. Add a picture of "
            "the same name to the other folder, or take them away."
        )
    for stem in sorted(firsts):
        text = folders.read_text(firsts[stem].with_suffix(".txt"))
        yield _Pair(firsts[stem], seconds[stem], " ".join(text.split()))


def _by_stem(folder: Path) -> dict[str, Path]:
    paths = folders.picture_paths(folder)
    repeated = [stem for stem, count in Counter(path.stem for path in paths).items() if count > 1]
    if repeated:
        raise TrainingError(
            f"{folder} has two pictures that are called {repeated[0]}: rename one of them."
        )
    return {path.stem: path for path in paths}


def _of_table(path: Path) -> Iterator[_Pair]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if not {"first", "second"} <= set(table.fieldnames or ()):
                raise TrainingError(
                    f"{path} has no columns first and second: name them in its first line."
                )
            for cells in table:
                yield _of_line(path, table.line_num, cells)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{path} cannot be read as a table: {error}.") from None


def _of_line(path: Path, number: int, cells: Mapping[str, str | None]) -> _Pair:
    """Return the pair of a line; both pictures must lie in the table's folder."""
    root = path.parent.resolve()
    halves = []
    for column in ("first", "second"):
        name = (cells[column] or "").strip()
        picture = root if "\0" in name else (root / name).resolve()
        if not name or not picture.is_relative_to(root) or not picture.is_file():
            raise TrainingError(
                f"Line {number} of {path}: there is no picture {name!r} in its folder. Put it "
                "there, or take the line away."
            )
        halves.append(picture)
    return _Pair(halves[0], halves[1], " ".join((cells.get("caption") or "").split()))


def _row(pair: _Pair) -> Row:
    return Row(
        path=pair.first,
        captions=((pair.caption, 1.0),) if pair.caption else (),
        tags=(),
        concepts={},
        content=f"{folders.hash_of(pair.first)}{folders.hash_of(pair.second)}",
        pair=1.0,
        second=pair.second,
    )

"""Put what was written into a folder that is in use, beside the pictures that lie there."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from labeling.exports.errors import ExportError
from labeling.exports.run import Result
from labeling.exports.sinks import MANIFEST

NAMED = 5  # files that an error names


def merge(draft: Path, out: Path, result: Result, *, overwrite: bool) -> Result:
    """Move the draft's files into `out`; return the result, with how many were there already.

    Where `out` is the one folder in which all of them lie in the draft, they go right into it.
    Nothing is moved unless all can be. Raises ExportError where a file holds something else and
    may not be replaced, and where a folder of `out` leads out of it.
    """
    draft = _matching(draft, out)
    files = list(_files(draft))
    new = [path for path in files if not _same(draft / path, out / path)]
    _check(out, new, overwrite=overwrite)
    _move(draft, out, new)
    there = {"files: there already, the same": len(files) - len(new)}
    return replace(result, left_out={**result.left_out, **{k: n for k, n in there.items() if n}})


def _matching(draft: Path, out: Path) -> Path:
    """Return the folder of the draft that `out` is: its only one, if that has `out`'s pictures.

    An upload names the folder that was chosen in all its paths, and an import of a folder does not.
    """
    inner, *others = [path for path in draft.iterdir() if path.name != MANIFEST] or [draft]
    if others or not inner.is_dir() or (out / inner.name).exists():
        return draft
    stems: dict[Path, set[str]] = {}
    for path in _files(inner):
        folder = out / path.parent
        if folder not in stems:
            stems[folder] = {each.stem for each in folder.iterdir()} if folder.is_dir() else set()
        if path.stem in stems[folder]:
            return inner
    return draft


def _move(draft: Path, out: Path, new: list[Path]) -> None:
    """Move files, all beside their targets first: where the disk is full, none of them is there."""
    beside: list[tuple[Path, Path]] = []
    try:
        for path in new:
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            beside.append((target.with_name(f".{os.getpid()}-{len(beside)}.part"), target))
            shutil.move(draft / path, beside[-1][0])
    except OSError:
        for part, _ in beside:
            part.unlink(missing_ok=True)
        raise
    for part, target in beside:
        part.replace(target)


def _files(draft: Path) -> Iterator[Path]:
    for path in sorted(draft.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            yield path.relative_to(draft)


def _check(out: Path, new: list[Path], *, overwrite: bool) -> None:
    root = out.resolve()
    outside = [path for path in new if not (out / path).parent.resolve().is_relative_to(root)]
    if outside:
        raise ExportError(f"{outside[0]} would lie outside of {out}: a folder there is a link.")
    blocked = [path for path in new if _is_below_a_file(out, path)]
    if blocked:
        raise ExportError(f"{blocked[0]} would lie below what is a file in {out}: move that.")
    taken = [path for path in new if os.path.lexists(out / path)]
    if taken and not overwrite:
        names = ", ".join(map(str, taken[:NAMED]))
        more = f" and {len(taken) - NAMED:,} more" if len(taken) > NAMED else ""
        raise ExportError(
            f"{out} has files of these names that hold something else: {names}{more}. Nothing was "
            "written: choose overwrite=true to replace them, or another folder."
        )


def _is_below_a_file(out: Path, path: Path) -> bool:
    return any(os.path.lexists(out / each) and not (out / each).is_dir() for each in path.parents)


def _same(one: Path, other: Path) -> bool:
    """Whether both files hold the same."""
    return (
        other.is_file()
        and one.stat().st_size == other.stat().st_size
        and one.read_bytes() == other.read_bytes()
    )

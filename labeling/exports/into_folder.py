"""Put what was written into a folder that is in use, beside the pictures that lie there.

Names are compared in Unicode's composed form: a text gets its picture's name as the disk has it,
though the picture was written down in the composed form when it was imported.
"""

import os
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from labeling.exports import accuracy
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
    names = _Names(out)
    draft = _matching(draft, names)
    files = {path: names.place(path) for path in _files(draft)}
    new = {path: to for path, to in files.items() if not _same(draft / path, out / to)}
    _check(out, list(new.values()), overwrite=overwrite)
    _move(draft, out, new)
    there = {"files: there already, the same": len(files) - len(new)}
    return replace(result, left_out={**result.left_out, **{k: n for k, n in there.items() if n}})


class _Names:
    """The names of a folder's files and folders as the disk has them, read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[Path, dict[str, str]] = {}

    def place(self, path: Path) -> Path:
        """Return where a file goes: into folders, and beside a file, that are there already."""
        folder = self._folder(path)
        names = self._in(folder)
        if path.name in names:
            return folder / names[path.name]
        # "é.txt" beside "é.jpg", or "é.jpg.txt" where that has several texts.
        stem = path.name.removesuffix(path.suffix)
        return folder / f"{names.get(stem, stem)}{path.suffix}"

    def has_folder(self, name: str) -> bool:
        """Whether there is a folder of that name at the top."""
        return (self._root / self._folder(Path(name, "x"))).is_dir()

    def holds(self, path: Path) -> bool:
        """Whether there is a file or folder of that name, or of that name but for a suffix."""
        return path.name in self._in(self._folder(path))

    def _folder(self, path: Path) -> Path:
        folder = Path()
        for part in path.parts[:-1]:
            folder /= self._in(folder).get(part, part)
        return folder

    def _in(self, folder: Path) -> dict[str, str]:
        """Return the names in a folder, and those without their suffixes, by their composed form.

        A name that is composed itself stands for itself.
        """
        if folder not in self._known:
            known: dict[str, str] = {}
            self._known[folder] = known
            path = self._root / folder
            for name in sorted(each.name for each in path.iterdir()) if path.is_dir() else ():
                stem = name.removesuffix(Path(name).suffix)
                known.setdefault(_composed(stem), stem)
                known[_composed(name)] = name
                known.update({each: each for each in (stem, name) if _composed(each) == each})
        return self._known[folder]


def _matching(draft: Path, names: _Names) -> Path:
    """Return the folder of the draft that `out` is: its only one, if that has `out`'s pictures.

    names: those in `out`. An upload names the folder that was chosen in all its paths, and an
    import of a folder does not.
    """
    told = list(draft.glob(f"{accuracy.BESIDE}*"))
    inner, *others = [
        path for path in draft.iterdir() if path.name != MANIFEST and path not in told
    ] or [draft]
    if others or not inner.is_dir() or names.has_folder(inner.name):
        return draft
    beside = any(names.holds(path.with_suffix("")) for path in _files(inner))
    if not beside:
        return draft
    for path in told:
        path.rename(inner / path.name)
    return inner


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _move(draft: Path, out: Path, new: Mapping[Path, Path]) -> None:
    """Move files, all beside their targets first: where the disk is full, none of them is there.

    new: where each goes.
    """
    beside: list[tuple[Path, Path]] = []
    try:
        for path, to in new.items():
            target = out / to
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

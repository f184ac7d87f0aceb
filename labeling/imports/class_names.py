"""Give classes that labels number their names, which another file of the source has."""

from collections.abc import Iterable, Iterator

from labeling.imports.entries import Box, ClassNames, ClassNumber, Entry, Kind, Refusal
from labeling.imports.paths import folder_of

NO_NAMES = (
    "a class by its number alone: its name is wanted, in dataset_info.json, classnames.txt, "
    "classes.txt, data.yaml or obj.names in its folder or above"
)
UNUSED = "names of classes by which no label is read"


def named(entries: Iterable[Entry], names: Iterable[ClassNames]) -> Iterator[Entry | Refusal]:
    """Yield the entries with the names of their classes, and what is refused.

    The names of a folder hold for what lies in it and below; those of a nearer folder come first.
    """
    several = list(names)
    lists = {each.path: each.names for each in several}
    remarks = {each.path for each in several if each.is_remark}
    used: set[str] = set()
    for entry in entries:
        number = entry.text.label if isinstance(entry.text, Box) else entry.text
        if not isinstance(number, ClassNumber):
            yield entry
            continue
        path = _list_of(number.path, lists)
        used.add(path)
        name = lists[path].get(number.number) if path else None
        if name is None:
            reason = f"{path} has no class {number.number}" if path else NO_NAMES
            yield Refusal(entry.where, entry.kind, reason)
        else:
            is_box = isinstance(entry.text, Box)
            yield entry._replace(text=entry.text._replace(label=name) if is_box else name)
    yield from (Refusal(path, Kind.TEXT, UNUSED) for path in lists if path not in used | remarks)


def _list_of(path: str, lists: Iterable[str]) -> str:
    """Return the list of names of the nearest folder; empty where there is none.

    Where no folder above has one, the only list of the source holds.
    """
    above = [each for each in lists if _is_within(path, folder_of(each))]
    if above:
        return max(above, key=lambda each: (len(folder_of(each)), each))
    everywhere = list(lists)
    return everywhere[0] if len(everywhere) == 1 else ""


def _is_within(path: str, folder: str) -> bool:
    return folder == "." or path.startswith(f"{folder}/")

"""Pairs of pictures of a folder, each as one picture that holds both halves side by side.

Of two folders with equally named pictures, `labeling.pair_order` tells which holds the first
halves: `a/ada.png` belongs with `b/ada.jpg`, and `a/ada.txt` describes them. Where there is a
`pairs.csv`, its columns `first` and `second` name the pictures, and `caption` may describe them.

The left and the right square of a pair's picture are its halves, each whole, on white where it is
not square, and both in one scale. So all that is done with pictures is done with pairs: people are
shown both halves at once and asked whether they belong together.
"""

import io
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import BinaryIO

from PIL import Image, ImageOps

from labeling import images, marks, pair_order
from labeling.decoding import ImageRejected
from labeling.imports import csv_rows, layouts
from labeling.imports.members import Member, Rejection, SourceError
from labeling.imports.paths import inside, normal, stem
from labeling.imports.source import Members
from labeling.marks import Mark
from labeling.models import Concept, Import, Pair
from labeling.models import Image as ImageRow
from labeling.models.projects import name_key
from labeling.pair_order import OrderError

CONCEPT, PHRASE = "belonging together", "two pictures that belong together"
TABLE = "pairs.csv"
SIDE_MAX = 1_024  # pixels of a half
GAP = 16  # a half is so many times as wide as the gap between both
METADATA = "metadata.jsonl"  # that is made of what is said of the pairs
ALONE = "it has no other half: the other folder has no picture of this name"
UNNAMED = f"{TABLE} names it in no pair"
NOT_READ = "it is not read with --pairs: captions stand in .txt files of the pictures' names"
SAME_NAME = "another picture of this name is in its folder"
FOLDERS = (
    "Pairs lie in two folders of equally named pictures, or a {table} names them; here, pictures "
    "lie in {number:,}: {names}."
)

SAY_IT = "Name it: --first-halves {0}, or --first-halves {1}."

Found = Iterator[Member | Rejection]


@dataclass(frozen=True)
class _Halves:
    """The files of a pair, and what its picture is to be called, without a suffix."""

    name: str
    first: Member
    second: Member
    caption: str = ""


@dataclass
class _Source:
    """What a folder holds, by normal paths."""

    pictures: dict[str, Member]
    texts: dict[str, Member]  # .txt files
    table: Member | None = None


def joined(
    members: Members, *, read_limit: int, encoding: str = "", first_halves: str = ""
) -> Members:
    """Return the members of a folder with a picture for each pair in place of its halves.

    read_limit: bytes of a half. first_halves: the folder of two that holds them, where their names
    do not say it. What is of no pair is rejected, with the reason. Raises `SourceError`, once they
    are iterated over, where the folder holds no pairs, or it is not clear which halves are first.
    """
    return lambda: _joined(members(), read_limit, encoding, first_halves)


def sides(members: Members, first_halves: str = "") -> tuple[str, str] | None:
    """Return the folders of the first and of the second halves; None where a table names pairs.

    Raises `SourceError` as `joined` does.
    """
    source = _Source({}, {})
    deque(_gather(members(), source), maxlen=0)
    return _sides(source, first_halves) if source.table is None else None


def concept_of(record: Import) -> Concept | None:
    """Return the concept that asks whether the halves of an import's pairs belong together."""
    concepts = record.project.concepts.select_related("merged_into")
    keyed = {key: concept for concept in concepts for key in concept.keys}
    concept = keyed.get(name_key(CONCEPT))
    return concept.merged_into or concept if concept else None


def has_halves(image: ImageRow) -> bool:
    """Return whether a picture is wide enough for two squares of its height."""
    return image.width >= 2 * image.height


def note(stored: Iterable[ImageRow], concept: Concept | None) -> None:
    """Note that images are pairs; those that are noted already stay as they are."""
    rows = [Pair(image=image, concept=concept) for image in stored]
    Pair.objects.bulk_create(rows, ignore_conflicts=True)


def _joined(members: Found, read_limit: int, encoding: str, first_halves: str) -> Found:
    source = _Source({}, {})
    yield from _gather(members, source)
    pairs = list[_Halves]()
    if source.table is None:
        found = _of_folders(source, _sides(source, first_halves))
    else:
        found = _of_table(source, encoding)
    for each in found:
        if isinstance(each, Rejection):
            yield each
        else:
            pairs.append(each)
    yield from _left_over(source, pairs)
    yield _metadata(pairs)
    for pair in pairs:
        if text := source.texts.get(f"{stem(normal(pair.first.path))}.txt"):
            yield replace(text, path=f"{pair.name}.txt")
        size = max(pair.first.size, pair.second.size)
        yield Member(f"{pair.name}.png", size, partial(_open, pair, read_limit))


def _gather(members: Found, source: _Source) -> Found:
    """Sort the members; yield what is refused, and what is not read."""
    for member in members:
        if isinstance(member, Rejection):
            yield member
        elif normal(member.path) == TABLE:
            source.table = member
        elif layouts.layout_of(member.path) is None:
            source.pictures[normal(member.path)] = member
        elif member.path.lower().endswith(".txt"):
            source.texts[normal(member.path)] = member
        else:
            yield Rejection(member.path, NOT_READ)


def _sides(source: _Source, first_halves: str) -> tuple[str, str]:
    """Return the folders of the first and of the second halves. Raises `SourceError`."""
    folders = sorted({path.partition("/")[0] for path in source.pictures if "/" in path})
    if len(folders) != 2:
        names = ", ".join(folders[:5]) or "none"
        raise SourceError(FOLDERS.format(table=TABLE, number=len(folders), names=names))
    one, other = folders
    try:
        return pair_order.ordered(one, other, first_halves.strip("/"))
    except OrderError as error:
        raise SourceError(f"{error} {SAY_IT.format(one, other)}") from None


def _of_folders(source: _Source, folders: tuple[str, str]) -> Iterator[_Halves | Rejection]:
    """Yield the pictures of one name in both folders, and why others are of no pair."""
    halves: list[dict[str, Member]] = [{}, {}]
    for path, member in source.pictures.items():
        folder, slash, name = path.partition("/")
        if not slash:
            yield Rejection(path, "it lies in neither of the two folders")
            continue
        of_folder = halves[folders.index(folder)]
        if stem(name) in of_folder:
            yield Rejection(path, SAME_NAME)
        else:
            of_folder[stem(name)] = member
    first, second = halves
    for name in sorted(first.keys() ^ second.keys()):
        yield Rejection((first.get(name) or second[name]).path, ALONE)
    for name in sorted(first.keys() & second.keys()):
        yield _Halves(name, first[name], second[name])


def _of_table(source: _Source, encoding: str) -> Iterator[_Halves | Rejection]:
    """Yield the pairs of a table's lines, and why others are none."""
    assert source.table is not None
    with source.table.open() as file:
        rows = csv_rows.read(file, TABLE, encoding)
        columns = [cell.lower() for cell in next(rows, csv_rows.Row(1, [])).cells]
        if not {"first", "second"} <= set(columns):
            raise SourceError(f"{TABLE} has no columns first and second: name them in line 1.")
        lines: dict[tuple[str, str], int] = {}
        names = set[str]()
        for row in rows:
            where = f"{TABLE}, line {row.number}"
            if row.problem:
                yield Rejection(where, row.problem)
                continue
            cells = dict(zip(columns, row.cells, strict=False))
            pair = _of_line(source, cells)
            if isinstance(pair, str):
                yield Rejection(where, pair)
            elif (key := (pair.first.path, pair.second.path)) in lines:
                yield Rejection(where, f"the same pair stands in line {lines[key]}")
            else:
                lines[key] = row.number
                if pair.name in names:  # as of a/b.png and a-b.png, or of b.png and b.jpg
                    pair = replace(pair, name=f"{pair.name}--{row.number}")
                names.add(pair.name)
                yield pair


def _of_line(source: _Source, cells: Mapping[str, str]) -> _Halves | str:
    """Return the pair of a line, or why it is none."""
    members = []
    for column in ("first", "second"):
        named = cells.get(column, "")
        member = source.pictures.get(inside("", named) or "") if named else None
        if member is None:
            return f"there is no picture “{named}” in the folder" if named else f"no {column} half"
        members.append(member)
    first, second = members
    name = "--".join(stem(normal(member.path)).replace("/", "-") for member in members)
    return _Halves(name, first, second, cells.get("caption", ""))


def _left_over(source: _Source, pairs: Iterable[_Halves]) -> Found:
    """Reject the pictures that the table names in no pair, and texts that describe none."""
    used = {normal(half.path) for pair in pairs for half in (pair.first, pair.second)}
    texts = {f"{stem(normal(pair.first.path))}.txt" for pair in pairs}
    if source.table is not None:
        for path in source.pictures.keys() - used:
            yield Rejection(path, UNNAMED)
    for path in source.texts.keys() - texts:
        yield Rejection(path, "there is no first half of this name, which it would describe")


def _metadata(pairs: Iterable[_Halves]) -> Member:
    """Return a table of what the source says of its pairs: that they belong together."""
    lines = (
        {
            "file_name": f"{pair.name}.png",
            "keywords": [CONCEPT],
            **({"caption": pair.caption} if pair.caption else {}),
        }
        for pair in pairs
    )
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    return Member(METADATA, len(content), partial(io.BytesIO, content))


def _open(pair: _Halves, read_limit: int) -> BinaryIO:
    """Return the picture of a pair as PNG. Raises `ImageRejected`, which names the half."""
    loaded = [_half(member, read_limit) for member in (pair.first, pair.second)]
    halves = [half for half, _ in loaded]
    mark = next((mark for _, mark in loaded if mark is not None), None)
    side = min(SIDE_MAX, max(max(half.size) for half in halves))
    gap = max(1, side // GAP)
    both = Image.new("RGB", (2 * side + gap, side), "white")
    for left, half in zip((0, side + gap), halves, strict=True):
        fitted = half if max(half.size) == side else ImageOps.contain(half, (side, side))
        place = left + (side - fitted.width) // 2, (side - fitted.height) // 2
        both.paste(fitted, place)
    file = io.BytesIO()
    both.save(file, "PNG", compress_level=1, **marks.saving("PNG", mark))
    file.seek(0)
    return file


def _half(member: Member, read_limit: int) -> tuple[Image.Image, Mark | None]:
    """Return a half, and the mark of one that a model drew. Raises `ImageRejected`."""
    try:
        picture = images.preparer()(member.read(read_limit))
    except ImageRejected as error:
        raise ImageRejected(f"its half {member.path}: {error}") from error
    with Image.open(io.BytesIO(picture.data)) as half:
        return half.convert("RGB"), marks.of_image(half)

"""What a source says of its pictures, gathered before the first of them is read."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from labeling.images.decoding import NO_PICTURE, ImageRejected
from labeling.imports import coco, huggingface, sidecars
from labeling.imports.members import Member, Refusal, Unreadable
from labeling.imports.source import Members
from labeling.imports.texts import Words

TABLE_MAX = 256 * 2**20  # bytes of a metadata.jsonl or of COCO's JSON
TEXT_MAX = 1 * 2**30  # bytes of all texts together


@dataclass
class Catalogue:
    """The texts of a source, and which of its members may be pictures."""

    pictures: int = 0
    folders: Counter[str] = field(default_factory=Counter)  # the folder's path → pictures in it
    refusals: list[Refusal] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)  # paths that are no pictures
    by_path: dict[str, Words] = field(default_factory=dict)
    by_stem: dict[str, Words] = field(default_factory=dict)  # the path without its suffix
    by_name: dict[str, Words] = field(default_factory=dict)  # without its folders

    def words(self, path: str) -> Words:
        """All that is said of the picture at this path."""
        pure, words = PurePosixPath(path), Words()
        for found in (
            self.by_path.get(path),
            self.by_stem.get(pure.with_suffix("").as_posix()),
            self.by_name.get(pure.name),
        ):
            if found:
                words.merge(found)
        return words


def gather(members: Members) -> Catalogue:
    """Go once through the source and read its texts. Raises `Unreadable`."""
    catalogue, paths, total = Catalogue(), set[str](), 0
    for member in members():
        if isinstance(member, Refusal):
            catalogue.refusals.append(member)
            continue
        path = PurePosixPath(member.path)
        if path.suffix.lower() in {*sidecars.SUFFIXES, ".jsonl"}:
            catalogue.texts.add(member.path)
            total += min(member.size, TABLE_MAX)
            if total > TEXT_MAX:
                raise Unreadable(f"Its texts are more than {TEXT_MAX:,} bytes: import it in parts.")
            _read(catalogue, member, path)
        else:
            catalogue.pictures += 1
            catalogue.folders[path.parent.as_posix()] += 1
            paths.add(path.as_posix())
    stems = {PurePosixPath(path).with_suffix("").as_posix() for path in paths}
    for lonely in sorted(catalogue.by_stem.keys() - stems):
        catalogue.refusals.append(Refusal(lonely, "a text without a picture of the same name"))
    for missing in sorted(catalogue.by_path.keys() - paths):
        catalogue.refusals.append(Refusal(missing, f"named in {huggingface.NAME}, but not there"))
    return catalogue


def _read(catalogue: Catalogue, member: Member, path: PurePosixPath) -> None:
    try:
        if path.name == huggingface.NAME:
            for name, words in huggingface.words(member.path, member.read(TABLE_MAX)):
                catalogue.by_path.setdefault(name, Words()).merge(words)
        elif path.suffix.lower() == ".json":
            _read_json(catalogue, member, path)
        elif path.suffix.lower() == ".jsonl":
            raise ImageRejected(NO_PICTURE)
        else:
            data = member.read(sidecars.SIZE_MAX)
            _note(catalogue, path, sidecars.read(data, path.suffix.lower()))
    except ImageRejected as error:
        catalogue.refusals.append(Refusal(member.path, str(error)))


def _read_json(catalogue: Catalogue, member: Member, path: PurePosixPath) -> None:
    data = member.read(TABLE_MAX)
    document = sidecars.parse(data)
    if coco.recognised(document):
        for name, words in coco.words(document).items():
            catalogue.by_name.setdefault(name, Words()).merge(words)
    else:
        _note(catalogue, path, sidecars.read(data, ".json"))


def _note(catalogue: Catalogue, path: PurePosixPath, words: Words) -> None:
    catalogue.by_stem.setdefault(path.with_suffix("").as_posix(), Words()).merge(words)

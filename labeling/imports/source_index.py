"""An index of a source: its images' metadata, gathered before the first image is read."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from labeling.decoding import ImageRejected
from labeling.imports import coco, concepts, gold, huggingface, sidecars
from labeling.imports.members import Member, Rejection, SourceError, folder_of, path_key
from labeling.imports.metadata import Metadata
from labeling.imports.source import Members
from labeling.models.projects import name_key

TABLES = {".jsonl", ".csv", ".tsv", ".parquet"}
OF_METADATA = (*sidecars.SUFFIXES, *TABLES)
TABLE_MAX = 256 * 2**20  # bytes of a metadata.jsonl or of COCO's JSON
TOTAL_MAX = 1 * 2**30  # bytes of all metadata together
WITHOUT_PICTURE = "a text without a picture of the same name"


@dataclass
class KeywordCounts:
    """How many pictures have each keyword."""

    spellings: Counter[str] = field(default_factory=Counter)  # as it is written → pictures
    repeated: Counter[str] = field(
        default_factory=Counter
    )  # key → spellings beyond a picture's first
    in_folder: Counter[str] = field(
        default_factory=Counter
    )  # key → pictures in a folder of that name
    keys: dict[str, str] = field(default_factory=dict)  # spelling → key

    def add(self, keywords: Sequence[str], *, folder: str) -> None:
        """Count the keywords of a picture in a folder whose name has that key."""
        self.spellings.update(keywords)
        keys = [self._key(keyword) for keyword in keywords]
        if len(set(keys)) < len(keys):
            self.repeated.update(Counter(keys) - Counter(set(keys)))
        if folder in keys:
            self.in_folder[folder] += 1

    def _key(self, keyword: str) -> str:
        key = self.keys.get(keyword)
        if key is None:
            key = self.keys[keyword] = name_key(keyword)
        return key


@dataclass
class SourceIndex:
    """The metadata of a source, and which of its members may be images."""

    images: int = 0
    folders: Counter[str] = field(default_factory=Counter)  # the folder's path → images in it
    rejections: list[Rejection] = field(default_factory=list)
    metadata_paths: set[str] = field(default_factory=set)  # members that are no images
    # All paths are keys of `path_key`.
    by_path: dict[str, Metadata] = field(default_factory=dict)
    by_stem: dict[str, Metadata] = field(default_factory=dict)  # the path without its suffix
    by_end: dict[str, Metadata] = field(default_factory=dict)  # the path, or the end of it
    ends: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # by file name
    keywords: "KeywordCounts" = field(default_factory=lambda: KeywordCounts())
    captions: int = 0  # of all pictures together

    def metadata(self, path: str) -> Metadata:
        """Return the metadata of the image at this path."""
        metadata = Metadata()
        if not (self.by_path or self.by_stem or self.by_end):
            return metadata
        key = path_key(path)
        stem = PurePosixPath(key).with_suffix("").as_posix()
        for part in (self.by_path.get(key), self.by_stem.get(stem), self._by_end(key)):
            if part:
                metadata.merge(part)
        return metadata

    def add_by_end(self, end: str, metadata: Metadata) -> None:
        """Add metadata of an image whose path is only known from some folder on."""
        self.by_end.setdefault(end, Metadata()).merge(metadata)
        self.ends[PurePosixPath(end).name].add(end)

    def _by_end(self, key: str) -> Metadata | None:
        """Return the metadata of the longest end of the path, else of a unique file name."""
        parts = PurePosixPath(key).parts
        ends = ["/".join(parts[start:]) for start in range(len(parts))]
        same_name = self.ends.get(parts[-1], set())
        if len(same_name) == 1:
            ends += same_name
        return next((self.by_end[end] for end in ends if end in self.by_end), None)


def build(members: Members) -> SourceIndex:
    """Go through the source once and read its metadata. Raises `SourceError`."""
    index, paths, total = SourceIndex(), set[str](), 0
    for member in members():
        if isinstance(member, Rejection):
            index.rejections.append(member)
            continue
        if member.path.lower().endswith(OF_METADATA):
            index.metadata_paths.add(member.path)
            total += min(member.size, TABLE_MAX)
            if total > TOTAL_MAX:
                raise SourceError(
                    f"Its texts are more than {TOTAL_MAX:,} bytes: import it in parts."
                )
            _read(index, member, PurePosixPath(member.path))
        else:
            index.images += 1
            index.folders[folder_of(member.path)] += 1
            paths.add(path_key(member.path))
    _reject_unmatched(index, paths)
    _count_texts(index, paths)
    return index


def _count_texts(index: SourceIndex, paths: set[str]) -> None:
    """Count the keywords and captions of all images."""
    of_gold = any(gold.of_folder(folder) for folder in index.folders)
    if not (index.by_path or index.by_stem or index.by_end or of_gold):
        return
    folders = {path: name_key(concepts.name_of_folder(path) or "") for path in index.folders}
    for path in paths:
        metadata = index.metadata(path)
        index.captions += len(metadata.captions)
        named = list(dict.fromkeys([*metadata.keywords, *gold.shown(path, metadata)]))
        if named:
            index.keywords.add(named, folder=folders.get(folder_of(path), ""))


def _reject_unmatched(index: SourceIndex, paths: set[str]) -> None:
    """Reject metadata of images that are not there."""
    if index.by_stem:
        unmatched = index.by_stem.keys() - {_stem(path) for path in paths}
        for path in sorted(index.metadata_paths) if unmatched else ():
            if _stem(path_key(path)) in unmatched:
                index.rejections.append(Rejection(path, WITHOUT_PICTURE))
    for path in sorted(index.by_path.keys() - paths):
        index.rejections.append(Rejection(path, f"named in {huggingface.NAME}, but not there"))


def _stem(path: str) -> str:
    return PurePosixPath(path).with_suffix("").as_posix()


def _read(index: SourceIndex, member: Member, path: PurePosixPath) -> None:
    try:
        if path.name == huggingface.NAME:
            for entry in huggingface.read(member.path, member.read(TABLE_MAX)):
                if isinstance(entry, Rejection):
                    index.rejections.append(entry)
                else:
                    index.by_path.setdefault(entry[0], Metadata()).merge(entry[1])
        elif path.suffix.lower() == ".json":
            _read_json(index, member, path)
        elif path.suffix.lower() in TABLES:
            raise ImageRejected(f"of tables only {huggingface.NAME} is read: write one")
        else:
            data = member.read(sidecars.SIZE_MAX)
            _add_sidecar(index, path, sidecars.read(data, path.suffix.lower()))
    except ImageRejected as error:
        index.rejections.append(Rejection(member.path, str(error)))


def _read_json(index: SourceIndex, member: Member, path: PurePosixPath) -> None:
    data = member.read(TABLE_MAX)
    document = sidecars.parse(data)
    if isinstance(document, dict) and coco.is_coco(document):
        coco_document = coco.read(document)
        for end, metadata in coco_document.by_file.items():
            index.add_by_end(end, metadata)
        for problem in coco_document.problems:
            index.rejections.append(Rejection(member.path, problem))
    else:
        _add_sidecar(index, path, sidecars.read(data, ".json"))


def _add_sidecar(index: SourceIndex, path: PurePosixPath, metadata: Metadata) -> None:
    stem = path_key(path.with_suffix("").as_posix())
    index.by_stem.setdefault(stem, Metadata()).merge(metadata)

"""An index of a source: its images' metadata, gathered before the first image is read."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field

from labeling.decoding import ImageRejected
from labeling.imports import class_names, concepts, gold, kinds, layouts, masks, spool
from labeling.imports.described import Described
from labeling.imports.entries import (
    By,
    ClassNames,
    Columns,
    Entry,
    Kind,
    Layout,
    Refusal,
    Remark,
)
from labeling.imports.joining import Pictures, why_not
from labeling.imports.kinds import Decision
from labeling.imports.members import Member, Rejection, SourceError
from labeling.imports.metadata import Metadata
from labeling.imports.options import DEFAULTS, Masks, Options, Texts
from labeling.imports.paths import folder_of, normal
from labeling.imports.provenance import FILE_LENGTH, LAYOUT_LENGTH, Provenance
from labeling.imports.source import Members
from labeling.imports.spool import Spool
from labeling.models.projects import name_key

TOTAL_MAX = 2 * 2**30  # bytes of all texts together, with …
REJECTIONS_MAX = 1_000_000  # of rows and files: more is not what it is taken for
ENTRY_SIZE = 400  # … so many besides for each


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
    rejections: list[Rejection] = field(default_factory=list)  # of files, and of rows
    refusals: list[Refusal] = field(default_factory=list)  # of texts that are of no picture
    read: Counter[Kind] = field(default_factory=Counter)  # texts, by what they are
    remarks: list[Remark] = field(default_factory=list)  # what is not read of files that are
    class_names: list[ClassNames] = field(default_factory=list)  # of numbered classes
    decisions: list[Decision] = field(default_factory=list)  # what its undecided texts are
    columns: dict[str, None] = field(default_factory=dict)  # of its tables, in their order
    masks: set[str] = field(default_factory=set)  # members that are masks, and no pictures here
    metadata_paths: set[str] = field(default_factory=set)  # members that are no images
    provenances: dict[Provenance, Provenance] = field(default_factory=dict)  # each kept once
    by_path: Described = field(default_factory=Described)  # of images, by normal paths
    keywords: KeywordCounts = field(default_factory=KeywordCounts)
    captions: int = 0  # of all pictures together

    def metadata(self, path: str) -> Metadata:
        """Return the metadata of the image at this path."""
        return self.by_path.get(normal(path)) or Metadata()

    def describe(self, path: str, metadata: Metadata) -> None:
        """Keep what became of the metadata of the image at this path."""
        self.by_path[normal(path)] = metadata

    def refuse(self, refusal: Refusal) -> None:
        """Note a text that was read and is of no picture."""
        self.read[refusal.kind] += 1
        self.refusals.append(refusal)


def build(members: Members, options: Options = DEFAULTS) -> SourceIndex:
    """Go through the source once, and join its texts to its pictures. Raises `SourceError`.

    The texts are on the disk until they are joined.
    """
    index, paths = SourceIndex(), set[str]()
    with spool.temporary() as entries:
        _gather(index, members, options, paths, entries)
        if options.masks is Masks.REFUSED:
            _refuse_masks(index, paths)
        _join(index, entries, paths, options)
    _add_folders_of_gold(index, paths)
    _count_texts(index, paths)
    return index


def _gather(
    index: SourceIndex, members: Members, options: Options, paths: set[str], entries: Spool
) -> None:
    """Note the paths of pictures, and all that is said of them."""
    total = 0
    for member in members():
        if isinstance(member, Rejection):
            index.rejections.append(member)
        elif layouts.layout_of(member.path) is not None:
            index.metadata_paths.add(member.path)
            for entry in _read(index, member, options):
                entries.append(entry)
                total += ENTRY_SIZE + (len(entry.text) if isinstance(entry.text, str) else 0)
                if total > TOTAL_MAX:
                    raise SourceError(
                        f"Its texts are more than {TOTAL_MAX:,} bytes: import it in parts."
                    )
        else:
            index.images += 1
            index.folders[folder_of(member.path)] += 1
            paths.add(normal(member.path))
            if member.url:
                index.by_path.open(normal(member.path)).set_url(member.url)


def _refuse_masks(index: SourceIndex, paths: set[str]) -> None:
    """Take masks out of the pictures, with a word for each."""
    index.masks = masks.find(paths)
    paths -= index.masks
    index.images = len(paths)
    index.folders -= Counter(folder_of(path) for path in index.masks)
    index.rejections += [Rejection(path, masks.REASON) for path in sorted(index.masks)]


def _read(index: SourceIndex, member: Member, options: Options) -> Iterator[Entry]:
    """Yield what a member says of pictures, and note what is refused of it."""
    layout = layouts.layout_of(member.path)
    assert layout is not None
    folder = folder_of(member.path).lstrip(".")
    try:
        for reading in layout.read(member, options):
            if isinstance(reading, Entry):
                provenance = _provenance(reading, layout, member.path)
                if not provenance.url:  # as many other texts have
                    provenance = index.provenances.setdefault(provenance, provenance)
                reference = reading.reference
                if folder and reference.by is By.END:
                    reference = reference._replace(folder=folder)
                yield reading._replace(provenance=provenance, reference=reference)
            elif isinstance(reading, Refusal):
                index.refuse(reading)
            elif isinstance(reading, Remark):
                index.remarks.append(reading)
            elif isinstance(reading, Columns):
                index.columns |= dict.fromkeys(reading.names)
            elif isinstance(reading, ClassNames):
                index.class_names.append(reading)
            else:
                index.rejections.append(reading)
                if len(index.rejections) > REJECTIONS_MAX:
                    raise SourceError(
                        f"More than {REJECTIONS_MAX:,} of its rows cannot be read, such as "
                        f"{reading.path}: {reading.reason}."
                    )
    except ImageRejected as error:
        index.rejections.append(Rejection(member.path, str(error)))


def _provenance(entry: Entry, layout: Layout, path: str) -> Provenance:
    """Return where a text comes from, with its layout, and its file unless the picture names it."""
    name, picture = (each.rpartition("/")[2] for each in (path, entry.reference.path))
    of_picture = name.rpartition(".")[0] in {picture, picture.rpartition(".")[0]}
    file = "" if of_picture else path[-FILE_LENGTH:]
    written_as = entry.provenance.layout or layout.name
    return entry.provenance._replace(layout=written_as[:LAYOUT_LENGTH], file=file)


def _join(index: SourceIndex, entries: Spool, paths: set[str], options: Options) -> None:
    """Attach each text to the one picture that it is about, or refuse it."""
    with spool.temporary() as named:
        for each in class_names.named(entries, index.class_names):
            if isinstance(each, Refusal):
                index.refuse(each)
            else:
                named.append(each)
        pictures = Pictures(paths)
        for entry in named:
            pictures.expect(entry.reference)
        decided, index.decisions = kinds.decide(named, options)
        mixed = {each.group for each in index.decisions if each.kind is Texts.MIXED}
        for each in decided:
            if isinstance(each, Refusal):
                index.refuse(each)
            else:
                _attach(index, each, pictures, mixed)


def _attach(index: SourceIndex, entry: Entry, pictures: Pictures, mixed: Set[str]) -> None:
    """Attach a text to its picture.

    mixed: the groups whose texts are known by their looks. What looks like a caption is a keyword
    where the source says so of the same picture, as kohya's JSON does of its sidecars.
    """
    found = pictures.find(entry.reference)
    if len(found) == 1:
        metadata = index.by_path.open(found[0])
        is_keyword = entry.group in mixed and metadata.has_keyword(entry.text)
        kind = Kind.KEYWORD if is_keyword and entry.kind is Kind.CAPTION else entry.kind
        index.read[kind] += 1
        metadata.add(kind, entry.text, entry.where, entry.provenance)
    else:
        index.refuse(Refusal(entry.where, entry.kind, why_not(entry.reference, found)))


def _add_folders_of_gold(index: SourceIndex, paths: Iterable[str]) -> None:
    """Count what folders such as `gold/not bird` say, which is a text of each of their pictures."""
    of_gold = {folder for folder in index.folders if gold.of_folder(folder)}
    for path in paths if of_gold else ():
        if folder_of(path) in of_gold:
            index.read[Kind.GOLD] += 1
            index.by_path.open(path).read[Kind.GOLD] += 1


def _count_texts(index: SourceIndex, paths: set[str]) -> None:
    """Count the keywords and captions of all images."""
    if not index.by_path:
        return
    folders = {path: name_key(concepts.name_of_folder(path) or "") for path in index.folders}
    for path, metadata in index.by_path.items():
        if path not in paths:
            continue
        index.captions += len(metadata.captions)
        named = list(dict.fromkeys([*metadata.keywords, *gold.shown(path, metadata)]))
        if named:
            index.keywords.add(named, folder=folders.get(folder_of(path), ""))

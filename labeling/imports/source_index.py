"""An index of a source: its images' metadata, gathered before the first image is read."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from labeling.images.decoding import NO_PICTURE, ImageRejected
from labeling.imports import coco, huggingface, sidecars
from labeling.imports.members import Member, Rejection, SourceError
from labeling.imports.metadata import Metadata
from labeling.imports.source import Members

TABLE_MAX = 256 * 2**20  # bytes of a metadata.jsonl or of COCO's JSON
TOTAL_MAX = 1 * 2**30  # bytes of all metadata together


@dataclass
class SourceIndex:
    """The metadata of a source, and which of its members may be images."""

    images: int = 0
    folders: Counter[str] = field(default_factory=Counter)  # the folder's path → images in it
    rejections: list[Rejection] = field(default_factory=list)
    metadata_paths: set[str] = field(default_factory=set)  # members that are no images
    by_path: dict[str, Metadata] = field(default_factory=dict)
    by_stem: dict[str, Metadata] = field(default_factory=dict)  # the path without its suffix
    by_name: dict[str, Metadata] = field(default_factory=dict)  # without its folders

    def metadata(self, path: str) -> Metadata:
        """Return all that is said of the image at this path."""
        pure, metadata = PurePosixPath(path), Metadata()
        for part in (
            self.by_path.get(path),
            self.by_stem.get(pure.with_suffix("").as_posix()),
            self.by_name.get(pure.name),
        ):
            if part:
                metadata.merge(part)
        return metadata


def build(members: Members) -> SourceIndex:
    """Go through the source once and read its metadata. Raises `SourceError`."""
    index, paths, total = SourceIndex(), set[str](), 0
    for member in members():
        if isinstance(member, Rejection):
            index.rejections.append(member)
            continue
        path = PurePosixPath(member.path)
        if path.suffix.lower() in {*sidecars.SUFFIXES, ".jsonl"}:
            index.metadata_paths.add(member.path)
            total += min(member.size, TABLE_MAX)
            if total > TOTAL_MAX:
                raise SourceError(
                    f"Its texts are more than {TOTAL_MAX:,} bytes: import it in parts."
                )
            _read(index, member, path)
        else:
            index.images += 1
            index.folders[path.parent.as_posix()] += 1
            paths.add(path.as_posix())
    _reject_unmatched(index, paths)
    return index


def _reject_unmatched(index: SourceIndex, paths: set[str]) -> None:
    """Reject metadata of images that are not there."""
    stems = {PurePosixPath(path).with_suffix("").as_posix() for path in paths}
    for stem in sorted(index.by_stem.keys() - stems):
        index.rejections.append(Rejection(stem, "a text without a picture of the same name"))
    for path in sorted(index.by_path.keys() - paths):
        index.rejections.append(Rejection(path, f"named in {huggingface.NAME}, but not there"))


def _read(index: SourceIndex, member: Member, path: PurePosixPath) -> None:
    try:
        if path.name == huggingface.NAME:
            for image_path, metadata in huggingface.read(member.path, member.read(TABLE_MAX)):
                index.by_path.setdefault(image_path, Metadata()).merge(metadata)
        elif path.suffix.lower() == ".json":
            _read_json(index, member, path)
        elif path.suffix.lower() == ".jsonl":
            raise ImageRejected(NO_PICTURE)
        else:
            data = member.read(sidecars.SIZE_MAX)
            _add_sidecar(index, path, sidecars.read(data, path.suffix.lower()))
    except ImageRejected as error:
        index.rejections.append(Rejection(member.path, str(error)))


def _read_json(index: SourceIndex, member: Member, path: PurePosixPath) -> None:
    data = member.read(TABLE_MAX)
    document = sidecars.parse(data)
    if coco.is_coco(document):
        for name, metadata in coco.read(document).items():
            index.by_name.setdefault(name, Metadata()).merge(metadata)
    else:
        _add_sidecar(index, path, sidecars.read(data, ".json"))


def _add_sidecar(index: SourceIndex, path: PurePosixPath, metadata: Metadata) -> None:
    stem = path.with_suffix("").as_posix()
    index.by_stem.setdefault(stem, Metadata()).merge(metadata)

"""Members → images, batch by batch; an import that was killed goes on where it stopped."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from django.conf import settings
from django.db import transaction

from labeling import images, questions
from labeling.decoding import ImageRejected, Picture
from labeling.images import NewImage, StoredImage
from labeling.images.duplicates import DuplicateIndex
from labeling.imports import concepts
from labeling.imports.members import Member, Rejection, SourceError, size_problem
from labeling.imports.metadata import Metadata
from labeling.imports.source import Members
from labeling.imports.source_index import SourceIndex
from labeling.models import ClassSet, Concept, Project, Question
from labeling.models.projects import name_key

BATCH = 200  # images in one transaction …
BATCH_BYTES = 64 * 2**20  # … and bytes of them at most, as they came
THREADS = min(4, os.cpu_count() or 1)

Batch = list[tuple[Member, bytes]]


@dataclass
class Report:
    """What became of the members; `rejected` holds the paths for each reason."""

    imported: int = 0
    existing: int = 0
    near_duplicates: int = 0
    rejected: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def reject(self, path: str, reason: str) -> None:
        """Note that a member was not imported, and why."""
        self.rejected[reason].append(path)

    @property
    def rejections(self) -> int:
        return sum(len(paths) for paths in self.rejected.values())


@dataclass(frozen=True)
class Plan:
    """What the source may state of an image: the concepts of its folders and of its keywords."""

    by_folder: dict[str, Concept]  # folder's path → the concept that it names
    by_key: dict[str, Concept]  # of all names and aliases
    class_set: ClassSet | None = None  # of the folders, where there are several

    def class_of(self, path: str) -> Concept | None:
        """Return the concept that the folder of an image names."""
        return self.by_folder.get(PurePosixPath(path).parent.as_posix())

    def class_set_of(self, path: str) -> ClassSet | None:
        """Return the classes of which the image at this path is in one."""
        return self.class_set if self.class_of(path) else None


def plan(
    *, project: Project, index: SourceIndex, phrases: dict[str, str], source: str = ""
) -> Plan:
    """Create the concepts that the source names. Raises `SourceError`.

    Without a concepts file each folder's name is a concept; with one only the names in it.
    """
    spelling = {name_key(name): name for name in phrases}
    names: dict[str, str] = {}
    for folder in index.folders:
        name = concepts.name_of_folder(folder, source=source)
        if name and (not phrases or name_key(name) in spelling):
            names[folder] = spelling.setdefault(name_key(name), name)
    count = len(set(names.values()))
    if not phrases and count > concepts.FOLDERS_MAX:
        raise SourceError(
            f"Its folders name {count:,} concepts, too many to ask about all: "
            "choose some of them in a file and name it with --concepts."
        )
    shares: dict[str, float] = defaultdict(float)
    for folder, name in names.items():
        shares[name] += index.folders[folder] / index.images
    concepts.create_missing(project, shares, phrases)
    by_key = concepts.by_key(project)
    by_folder = {folder: by_key[name_key(name)] for folder, name in names.items()}
    return Plan(by_folder, by_key, _class_set(project, by_folder.values()))


def _class_set(project: Project, classes: Iterable[Concept]) -> ClassSet | None:
    """Return the set of a source's classes; None where its folders name fewer than two."""
    ids = sorted({concept.pk for concept in classes})
    if len(ids) < 2:
        return None
    class_set, _ = ClassSet.objects.get_or_create(project=project, concepts=ids)
    return class_set


def run(
    *,
    project: Project,
    members: Members,
    index: SourceIndex,
    plan: Plan,
    progress: Callable[[Iterable[Member], str, int], Iterable[Member]],
) -> Report:
    """Import all images. What the project has already is left as it is."""
    report = Report()
    for rejection in index.rejections:
        report.reject(rejection.path, rejection.reason)
    candidates = (
        member
        for member in members()
        if not isinstance(member, Rejection) and member.path not in index.metadata_paths
    )
    with ThreadPoolExecutor(THREADS) as pool:
        batch_importer = _BatchImporter(project, index, plan, report, pool)
        for batch in _batches(progress(candidates, "pictures", index.images), report):
            batch_importer.import_batch(batch)
    return report


def _batches(members: Iterable[Member], report: Report) -> Iterator[Batch]:
    """Read the members; yield them in batches that are limited in number and in bytes."""
    batch: Batch = []
    size = 0
    for member in members:
        try:
            if reason := size_problem(member.size, settings.IMAGE_MAX_BYTES):
                raise ImageRejected(reason)
            data = member.read(settings.IMAGE_MAX_BYTES)
        except ImageRejected as error:
            report.reject(member.path, str(error))
            continue
        batch.append((member, data))
        size += len(data)
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _BatchImporter:
    """Import batches of one source, each with its questions in one transaction."""

    def __init__(
        self,
        project: Project,
        index: SourceIndex,
        plan: Plan,
        report: Report,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.project = project
        self.index = index
        self.plan = plan
        self.report = report
        self.pool = pool
        self.prepare = images.preparer()
        self.duplicate_index = DuplicateIndex(project)

    def import_batch(self, batch: Batch) -> None:
        """Import a batch. What exists is known by its hash, before anything is decoded."""
        hashes = [hashlib.sha256(data).hexdigest() for _, data in batch]
        existing = images.find_stored(project=self.project, source_sha256s=hashes)
        metadata = {member.path: self.index.metadata(member.path) for member, _ in batch}
        new = [item for item, sha256 in zip(batch, hashes, strict=True) if sha256 not in existing]
        new_images = list(self._new_images(new, metadata))
        with transaction.atomic():
            added = images.add_many(
                project=self.project,
                new_images=new_images,
                duplicate_index=self.duplicate_index,
            )
            stored = [
                (new_image.source, image)
                for new_image, image in zip(new_images, added, strict=True)
            ]
            stored += [
                (member.path, existing[sha256])
                for (member, _), sha256 in zip(batch, hashes, strict=True)
                if sha256 in existing
            ]
            _add_sources(stored)
            _update_keywords(stored, metadata)
            _ask(self.project, stored, metadata, self.plan)
        _count(self.report, stored, metadata)

    def _new_images(self, batch: Batch, metadata: Mapping[str, Metadata]) -> Iterator[NewImage]:
        """Decode a batch in threads; yield what can be stored and report the rest."""
        for (member, _), picture in zip(batch, self.pool.map(self._prepare, batch), strict=True):
            if isinstance(picture, ImageRejected):
                self.report.reject(member.path, str(picture))
            else:
                yield NewImage(
                    picture=picture,
                    source=member.path,
                    license=metadata[member.path].license,
                    keywords=metadata[member.path].keywords,
                    class_set=self.plan.class_set_of(member.path),
                )

    def _prepare(self, item: tuple[Member, bytes]) -> Picture | ImageRejected:
        try:
            return self.prepare(item[1])
        except ImageRejected as error:
            return error


def _add_sources(stored: Sequence[tuple[str, StoredImage]]) -> None:
    """Remember the paths of copies, by which answers may name the image."""
    paths: dict[int, list[str]] = defaultdict(list)
    for path, image in stored:
        paths[image.image.pk].append(path)
    for row in {image.image.pk: image.image for _, image in stored}.values():
        images.add_sources(row, paths[row.pk])


def _update_keywords(
    stored: Sequence[tuple[str, StoredImage]], metadata: Mapping[str, Metadata]
) -> None:
    """Give existing images the keywords that the source has for them now.

    Those of the path that the image came from replace its own; those of a copy are added.
    """
    for path, image in stored:
        keywords = metadata[path].keywords
        if keywords and not image.new:
            from_here = image.image.source == path
            images.set_keywords(
                image.image, keywords if from_here else [*image.image.keywords, *keywords]
            )


def _ask(
    project: Project,
    stored: Sequence[tuple[str, StoredImage]],
    metadata: Mapping[str, Metadata],
    plan: Plan,
) -> None:
    """Ask about the captions and concepts that the source states; the rest stays implicit."""
    confidence = project.import_confidence
    stated: dict[tuple[int, int], float] = {}
    for path, image in stored:
        if of_own_folder := plan.class_of(path):
            stated[image.tile.pk, of_own_folder.pk] = confidence
        for keyword in metadata[path].keywords:
            if concept := plan.by_key.get(name_key(keyword)):
                stated[image.tile.pk, concept.pk] = confidence
    questions.ask_pairs(project=project, pairs=stated.keys(), stated=stated)
    questions.ask_captions(
        captions=[
            (image.tile, caption) for path, image in stored for caption in metadata[path].captions
        ],
        source=Question.Source.IMPORT,
        prior=confidence,
    )


def _count(
    report: Report, stored: Sequence[tuple[str, StoredImage]], metadata: Mapping[str, Metadata]
) -> None:
    for path, image in stored:
        report.imported += image.new
        report.existing += not image.new
        report.near_duplicates += image.new and image.image.near_duplicate_of_id is not None
        for problem in metadata[path].problems:
            report.reject(path, problem)

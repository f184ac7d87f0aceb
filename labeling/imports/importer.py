"""Members → images, batch by batch; whatever is killed half-way goes on where it stopped."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from django.conf import settings
from django.db import transaction

from labeling import images, questions
from labeling.images import NewImage, StoredImage
from labeling.images.decoding import ImageRejected, Picture
from labeling.images.duplicates import DuplicateIndex
from labeling.imports import concepts
from labeling.imports.catalogue import Catalogue
from labeling.imports.members import Member, Refusal, Unreadable, oversize
from labeling.imports.source import Members
from labeling.imports.texts import Words
from labeling.models import Concept, Project, Question

BATCH = 200  # pictures in one transaction …
BATCH_BYTES = 64 * 2**20  # … and bytes of them at most, as they came
THREADS = min(4, os.cpu_count() or 1)

Batch = list[tuple[Member, bytes]]


@dataclass
class Report:
    """What became of the members; `refused` holds the paths for each reason."""

    imported: int = 0
    there: int = 0
    near_duplicates: int = 0
    refused: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def refuse(self, path: str, reason: str) -> None:
        self.refused[reason].append(path)

    @property
    def refusals(self) -> int:
        return sum(len(paths) for paths in self.refused.values())


@dataclass(frozen=True)
class Plan:
    """What is asked of every picture: the concepts of the folders and of a concepts file."""

    folders: dict[str, Concept]  # folder's path → the concept that its name is
    asked: dict[str, Concept]  # by name in lower case


def plan(
    *, project: Project, catalogue: Catalogue, phrases: dict[str, str], source: str = ""
) -> Plan:
    """Make the concepts that the source names. Raises `Unreadable`.

    Without a concepts file each folder's name is a concept; with one only the names in it.
    """
    spelling = {name.casefold(): name for name in phrases}
    names: dict[str, str] = {}
    for folder in catalogue.folders:
        name = concepts.of_folder(folder, source=source)
        if name and (not phrases or name.casefold() in spelling):
            names[folder] = spelling.setdefault(name.casefold(), name)
    found = set(names.values())
    if not phrases and len(found) > concepts.FOLDERS_MAX:
        raise Unreadable(
            f"Its folders name {len(found):,} concepts, too many to ask about all: "
            "choose some of them in a file and name it with --concepts."
        )
    shares: dict[str, float] = defaultdict(float)
    for folder, name in names.items():
        shares[name] += catalogue.folders[folder] / catalogue.pictures
    concepts.ensure(project, shares, phrases)
    asked = concepts.named(project, [*shares, *phrases])
    return Plan({folder: asked[name.casefold()] for folder, name in names.items()}, asked)


def run(
    *,
    project: Project,
    members: Members,
    catalogue: Catalogue,
    plan: Plan,
    progress: Callable[[Iterable[Member], str, int], Iterable[Member]],
) -> Report:
    """Take all pictures in. What the project has already is left as it is."""
    report = Report()
    for refusal in catalogue.refusals:
        report.refuse(refusal.path, refusal.reason)
    duplicate_index = DuplicateIndex(project)
    pictures = (
        member
        for member in members()
        if not isinstance(member, Refusal) and member.path not in catalogue.texts
    )
    with ThreadPoolExecutor(THREADS) as pool:
        for batch in _batches(progress(pictures, "pictures", catalogue.pictures), report):
            _take(project, batch, catalogue, plan, duplicate_index, report, pool)
    return report


def _batches(members: Iterable[Member], report: Report) -> Iterator[Batch]:
    batch: Batch = []
    size = 0
    for member in members:
        try:
            if reason := oversize(member.size, settings.IMAGE_MAX_BYTES):
                raise ImageRejected(reason)
            data = member.read(settings.IMAGE_MAX_BYTES)
        except ImageRejected as error:
            report.refuse(member.path, str(error))
            continue
        batch.append((member, data))
        size += len(data)
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _take(
    project: Project,
    batch: Batch,
    catalogue: Catalogue,
    plan: Plan,
    duplicate_index: DuplicateIndex,
    report: Report,
    pool: ThreadPoolExecutor,
) -> None:
    """One batch: what is there is known by its hash, before anything is decoded."""
    hashes = [hashlib.sha256(data).hexdigest() for _, data in batch]
    known = images.there(project=project, source_sha256s=hashes)
    new = [item for item, sha256 in zip(batch, hashes, strict=True) if sha256 not in known]
    prepared = list(pool.map(_preparing(images.preparer()), new))
    said = {member.path: catalogue.words(member.path) for member, _ in batch}
    new_images: list[NewImage] = []
    for (member, _), picture in zip(new, prepared, strict=True):
        if isinstance(picture, ImageRejected):
            report.refuse(member.path, str(picture))
            continue
        words = said[member.path]
        new_images.append(
            NewImage(
                picture=picture,
                source=member.path,
                license=words.license,
                keywords=words.keywords,
            )
        )
    with transaction.atomic():
        taken = images.add_many(
            project=project, new_images=new_images, duplicate_index=duplicate_index
        )
        came = [(new_image.source, one) for new_image, one in zip(new_images, taken, strict=True)]
        came += [
            (member.path, known[sha256])
            for (member, _), sha256 in zip(batch, hashes, strict=True)
            if sha256 in known
        ]
        _ask(project, came, said, plan)
    _count(report, came, said)


def _preparing(
    prepare: Callable[[bytes], Picture],
) -> Callable[[tuple[Member, bytes]], Picture | ImageRejected]:
    def one(item: tuple[Member, bytes]) -> Picture | ImageRejected:
        try:
            return prepare(item[1])
        except ImageRejected as error:
            return error

    return one


def _ask(
    project: Project, came: Sequence[tuple[str, StoredImage]], said: dict[str, Words], plan: Plan
) -> None:
    """Captions as they are; concepts, each believed as far as the import speaks of it."""
    believed = project.import_confidence
    folders = {concept.pk for concept in plan.folders.values()}
    priors: dict[tuple[int, int], float] = {}
    for path, one in came:
        own = plan.folders.get(PurePosixPath(path).parent.as_posix())
        if own:  # the picture lies in this folder, and so in none of the others
            priors.update({(one.tile.pk, concept): 1 - believed for concept in folders})
            priors[one.tile.pk, own.pk] = believed
        for keyword in said[path].keywords:
            if concept := plan.asked.get(keyword.casefold()):
                priors[one.tile.pk, concept.pk] = believed
    questions.ask_concepts(
        tiles={one.tile.pk: one.tile for _, one in came}.values(),
        concepts=plan.asked.values(),
        priors=priors,
    )
    questions.ask_captions(
        captions=[(one.tile, caption) for path, one in came for caption in said[path].captions],
        source=Question.Source.IMPORT,
        prior=believed,
    )


def _count(report: Report, came: Sequence[tuple[str, StoredImage]], said: dict[str, Words]) -> None:
    for path, one in came:
        report.imported += one.new
        report.there += not one.new
        report.near_duplicates += one.new and one.image.near_duplicate_of_id is not None
        for problem in said[path].problems:
            report.refuse(path, problem)

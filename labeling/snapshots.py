"""Labels → an immutable, hashed folder, which is exported and trained on.

A snapshot is a row, begun by whoever asks for it, and a folder in the storage, written by whoever
holds the row's lease. Each attempt writes to a draft folder of its own on its machine, and puts it
into the storage; only the holder of the lease publishes it.
`labeling.snapshot_rows` says what is written, `labeling.snapshot_folder` in which format,
`labeling.snapshot_provenance` what it was made from, and `labeling.snapshot_pictures` how pictures
are shared by all snapshots that hold them.
"""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Left
from django.utils import timezone

from labeling import (
    dataset_card,
    jobs,
    label_accuracy,
    lease,
    replica,
    snapshot_folder,
    snapshot_marks,
    snapshot_pictures,
    snapshot_provenance,
    snapshot_rows,
    stored_folders,
    webhooks,
    withdrawals,
)
from labeling.dataset_card import Facts
from labeling.jobs import OnProgress
from labeling.models import Annotator, HookEvent, Image, Project, RemovedImage, Snapshot
from labeling.snapshot_folder import Row, SnapshotError
from labeling.snapshot_pictures import Picture
from labeling.snapshot_rows import SnapshotRow
from labeling.stored_folders import FolderMissing

FOLDER = "snapshots"  # in the storage
ATTEMPTS = 3  # after which a snapshot whose workers died is given up
SHARED = 3  # earlier folders, at most, in which a picture is looked for
State = Snapshot.State


def begin(
    *,
    project: Project,
    include_generated: bool = False,
    requested_by: AbstractBaseUser | None = None,
) -> Snapshot:
    """Create a snapshot that is still to be written, by `fill`."""
    with transaction.atomic():
        snapshot = Snapshot.objects.create(
            project=project,
            include_generated=include_generated,
            requested_by_id=requested_by.pk if requested_by is not None else None,
        )
        generated = " with pictures that models drew" if include_generated else ""
        jobs.record(snapshot, f"began{generated}", by=requested_by)
    return snapshot


def fill(snapshot: Snapshot) -> Snapshot:
    """Write the current labels into the snapshot's folder; return its row as it is then.

    A snapshot that is finished, or that somebody else is writing, is left as it is. What is wrong
    with the data is not raised: the state is then "failed", with the reason in `error`, and no
    folder is left. Where the storage is away or the disk full, it stays "freezing" with the reason,
    and is to be filled again. Raises LeaseLost where somebody else took over.
    """
    held = jobs.acquire(snapshot, progress=0.0)
    if held is None:
        snapshot.refresh_from_db()
        return snapshot
    return _fill(held)


def local_folder(snapshot: Snapshot, *, only: Iterable[str] | None = None) -> Path:
    """Return the path of a ready snapshot's folder on this machine, not to be changed.

    only: the files that are needed; others may then lack, and so may one of these. Raises
    SnapshotError where the storage has no such folder, and StorageAway.
    """
    if snapshot.state != State.READY:
        raise SnapshotError(f"Snapshot {snapshot.pk} is {snapshot.state}, not ready.")
    try:
        return stored_folders.fetch(snapshot.folder, only=only)
    except FolderMissing as error:
        raise SnapshotError(
            f"The folder of snapshot {snapshot.pk} has gone: freeze a new snapshot. {error}"
        ) from error


def card(snapshot: Snapshot) -> str:
    """Return the data card of a snapshot; empty where there is none. Raises StorageAway."""
    try:
        return snapshot_folder.read_card(local_folder(snapshot, only=[snapshot_folder.CARD]))
    except SnapshotError:
        return ""


def header(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot's manifest without its files; empty where it has gone.

    Raises StorageAway.
    """
    try:
        folder = local_folder(snapshot, only=[snapshot_folder.MANIFEST])
        return snapshot_folder.read_header(folder)
    except SnapshotError:
        return {}


def removed_files(snapshot: Snapshot, names: Iterable[str]) -> set[str]:
    """Return which files of a snapshot, by their names, are of pictures removed since.

    They stay in its folder, whose hash they are part of; nobody is to be shown them.
    """
    by_stem = {Path(name).stem: name for name in names}
    if not snapshot.removed or not by_stem:
        return set()
    stems = [
        rows.filter(project=snapshot.project_id)
        .annotate(stem=Left("sha256", snapshot_rows.STEM_LENGTH))
        .filter(stem__in=by_stem)
        .values_list("stem", flat=True)
        for rows in (RemovedImage.objects.order_by(), Image.objects.order_by())
    ]
    removed, there = map(set, stems)  # what was imported again is there
    return {by_stem[stem] for stem in removed - there}


def freeze(
    *,
    project: Project,
    include_generated: bool = False,
    requested_by: AbstractBaseUser | None = None,
) -> Snapshot:
    """Begin a snapshot and fill it here and now; the same labels give the same hash and folder.

    Raises LeaseLost where somebody else took over.
    """
    with transaction.atomic():  # nobody else can take the row before it is leased
        snapshot = begin(
            project=project, include_generated=include_generated, requested_by=requested_by
        )
        held = jobs.acquire(snapshot, progress=0.0)
    assert held is not None
    return _fill(held)


def waiting() -> QuerySet[Snapshot]:
    """Return the snapshots that are begun and that nobody is writing, the oldest first."""
    return jobs.waiting(Snapshot)


def give_up_lost() -> int:
    """Fail the snapshots whose workers died too often; return how many."""
    return jobs.give_up_lost(
        Snapshot, attempts=ATTEMPTS, advice="Freeze another.", on_given_up=_remove_drafts
    )


def _fill(held: Snapshot) -> Snapshot:
    """Write and publish a snapshot whose lease is held, or fail it."""
    draft = _drafts(held) / held.lease_token

    def work() -> None:
        _remove_drafts(held)
        _write(held, draft, jobs.reporter(held))

    try:
        jobs.carry_out(held, work, expected=(SnapshotError, OSError))
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        with suppress(OSError):  # another attempt is at it
            draft.parent.rmdir()
    return held


def _remove_drafts(snapshot: Snapshot) -> None:
    """Remove what killed attempts left here. One that is alive loses its lease with its draft."""
    shutil.rmtree(_drafts(snapshot), ignore_errors=True)


def _drafts(snapshot: Snapshot) -> Path:
    return stored_folders.working(f"{FOLDER}/.draft-{snapshot.pk}")


@dataclass(frozen=True)
class _Content:
    """What was written into a draft, but for the pictures."""

    files: dict[str, str]  # SHA-256 by name, those of the pictures to come among them
    counts: dict[str, int]
    concepts: list[str]
    made_from: dict[str, Any]
    about: dict[str, Any]  # its project, as the card says it
    accuracy: dict[str, Any]  # how often its labels are right, with intervals
    labels: dict[str, dict[str, Counter[str]]]  # how many, by split, concept and label
    pictures: list[Picture]
    at: datetime  # the moment that was read
    given: withdrawals.Held
    blocked: frozenset[int]  # annotators who were blocked already

    @property
    def newest_image(self) -> int:
        """The id of the newest: a project's pictures are stored in the order of their ids."""
        return max(picture.pk for picture in self.pictures)


def _write(held: Snapshot, draft: Path, report: OnProgress) -> None:
    """Write the labels as they are now and publish them; images only where no snapshot has them.

    Where pictures are removed all the time, the last attempt holds some, and is marked.
    """
    for attempt in range(1, ATTEMPTS + 1):
        with lease.kept(held), replica.reading(), _one_moment():
            content = _write_rows(held, draft)
        if not content.pictures:
            raise SnapshotError(f"Project “{held.project}” has no pictures yet: import some first.")
        manifest = _manifest(held, content)
        with lease.kept(held):
            folder = _earlier_folder(held, manifest["sha256"])
        last = attempt == ATTEMPTS
        try:
            if not folder:
                _place_pictures(held, draft, content, report)
                snapshot_folder.write_manifest(draft, manifest)
        except SnapshotError:
            if last or not _removed(held, content):
                raise
        else:
            if last or not _removed(held, content):
                break
        shutil.rmtree(draft)  # a picture was removed meanwhile: begin again without it
    if not folder:
        folder = f"{FOLDER}/{held.project.slug}-{held.pk}-{manifest['sha256'][:8]}"
        with lease.kept(held):
            stored_folders.put(draft, folder, digests=manifest["files"], move=True)
    _publish(held, manifest, content, folder)


def _write_rows(held: Snapshot, draft: Path) -> _Content:
    """Write the metadata as it is read, a batch of images at a time."""
    pictures: list[Picture] = []
    counts: Counter[str] = Counter()
    facts, at = Facts(), timezone.now()
    concepts = snapshot_rows.concepts_of(held.project)
    unanswered: Counter[tuple[str, int]] = Counter()

    def rows() -> Iterator[tuple[str, Row]]:
        for each in snapshot_rows.build(
            project=held.project,
            concepts=concepts,
            include_generated=held.include_generated,
        ):
            pictures.append(_picture(each))
            counts.update(snapshot_rows.counts(each))
            facts.add(each.split, each.row)
            unanswered.update(label_accuracy.unanswered(each.row))
            yield each.split, each.row

    files = snapshot_folder.write_metadata(draft, rows())
    files |= {picture.path: picture.sha256 for picture in pictures}
    made_from = snapshot_provenance.made_from(held, concepts)
    about = dataset_card.about(held.project)
    accuracy = label_accuracy.of_snapshot(held, unanswered)
    if pictures:
        told = {"made_from": made_from, "about": about, "accuracy": accuracy}
        files[snapshot_folder.CARD] = dataset_card.write(draft, told, facts)
    return _Content(
        files,
        dict(counts),
        [concept.name for concept in concepts],
        made_from,
        about,
        accuracy,
        facts.labels,
        pictures,
        at=at,
        given=withdrawals.held_now(held),
        blocked=_blocked(),
    )


def _picture(snapshot_row: SnapshotRow) -> Picture:
    image = snapshot_row.image
    return Picture(
        pk=image.pk,
        path=f"{snapshot_row.split}/{snapshot_row.row['file_name']}",
        sha256=image.sha256,
        file=str(image.file.name),
        name=f"image {image.pk} ({image.source})",
    )


def _manifest(held: Snapshot, content: _Content) -> dict[str, Any]:
    manifest = {
        "format": snapshot_folder.FORMAT,
        "project": held.project.slug,
        "created": timezone.now().isoformat(timespec="seconds"),
        "counts": content.counts,
        "concepts": content.concepts,
        "labels": content.labels,
        "made_from": content.made_from,
        "about": content.about,
        "accuracy": content.accuracy,
        "files": dict(sorted(content.files.items())),
    }
    return {"sha256": snapshot_folder.digest_of(manifest), **manifest}


def _earlier_folder(held: Snapshot, sha256: str) -> str:
    """Return the folder of a snapshot with the same content, if it is still as it was frozen."""
    earlier = Snapshot.objects.filter(project=held.project, sha256=sha256, state=State.READY)
    for folder in set(earlier.values_list("folder", flat=True)):
        with suppress(SnapshotError, FolderMissing):
            snapshot_folder.verify(stored_folders.fetch(folder))
            return folder
    return ""


def _place_pictures(held: Snapshot, draft: Path, content: _Content, report: OnProgress) -> None:
    """Put the pictures into the draft; those that an earlier snapshot holds are linked."""
    earlier = Snapshot.objects.filter(project=held.project, state=State.READY).order_by("-pk")
    folders = list(dict.fromkeys(earlier.values_list("folder", flat=True)[: 4 * SHARED]))
    here = [path for folder in folders[:SHARED] if (path := stored_folders.here(folder))]
    for number, picture in enumerate(content.pictures, start=1):
        snapshot_pictures.place(picture, folder=draft, earlier=here)
        report(number / len(content.pictures))


def _removed(held: Snapshot, content: _Content) -> int:
    """Return how many pictures of a content were removed since it was read."""
    there = set(
        held.project.images.filter(pk__lte=content.newest_image).values_list("pk", flat=True)
    )
    return sum(picture.pk not in there for picture in content.pictures)


def _blocked() -> frozenset[int]:
    return frozenset(Annotator.objects.filter(blocked=True).values_list("pk", flat=True))


def _blocked_since(held: Snapshot, content: _Content) -> list[int]:
    """Return the annotators who were blocked since their answers were read."""
    ids = sorted(_blocked() - content.blocked)
    return [pk for pk in ids if snapshot_marks.holds_answers_of(pk, held)]


def _publish(held: Snapshot, manifest: Mapping[str, Any], content: _Content, folder: str) -> None:
    """Finish the row: its folder is in the storage. Raises LeaseLost."""
    sha256 = manifest["sha256"]
    with transaction.atomic():
        # This locks the row: whoever lost the lease publishes nothing, and whoever removes a
        # picture or withdraws an answer marks the snapshot afterwards.
        held.renew(
            newest_image=content.newest_image,
            newest_answer=content.given.newest_answer,
            newest_caption=content.given.newest_caption,
        )
        held.release(
            state=State.READY,
            progress=1.0,
            sha256=sha256,
            folder=folder,
            frozen_at=content.at,
            counts=manifest["counts"],
            made_from=content.made_from,
            removed=_removed(held, content),
            withdrawn=withdrawals.withdrawn_since(held, content.given),
            blocked_annotators=_blocked_since(held, content),
        )
        jobs.record(held, f"is ready: {manifest['counts']['images']:,} pictures")
        webhooks.emit(
            project=held.project,
            event=HookEvent.SNAPSHOT_READY,
            data={"snapshot": held.pk, "sha256": sha256, "images": manifest["counts"]["images"]},
        )


@contextmanager
def _one_moment() -> Iterator[None]:
    """Read everything inside as of one moment, whatever people answer meanwhile."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield

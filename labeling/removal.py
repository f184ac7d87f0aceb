"""Remove pictures: with their tiles and questions they are gone from all that is asked and learned.

The answers about them are moved into an archive (`RemovedAnswer`) in the same transaction: they
are kept for the audit, and count for nothing. Snapshots that hold a removed picture are marked.

Locks are taken in this order: the project's images, its concepts, challenges, image rows,
questions, tiles, snapshots. So nobody adds or nominates meanwhile; answers that are being recorded,
which lock their challenge, then the questions, and at last look at the tiles, are waited for; and
those that come later find no question.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from labeling import audit, images, pools, provenance
from labeling.batches import batched
from labeling.images import duplicates, files, tiles
from labeling.models import (
    Answer,
    Challenge,
    Event,
    Image,
    Import,
    ImportStatement,
    Project,
    Question,
    Recomputation,
    RemovedImage,
    Snapshot,
    Tile,
)
from labeling.numbers import count
from labeling.stored_folders import StorageAway, ownership
from labeling.stored_folders.errors import asking

BATCH = 100  # pictures that are removed in one transaction
FILES_BATCH = 50  # files that are deleted while nobody may store any
REASON_LENGTH = 300

logger = logging.getLogger(__name__)

_LOCK_CONCEPTS = """
SELECT id FROM labeling_concept WHERE project_id = %s ORDER BY id FOR NO KEY UPDATE
"""
_ARCHIVE = """
INSERT INTO labeling_removedanswer (project_id, image_id, image_sha256, image_source,
    grid, "left", top, width, height, question_id, concept_id, text, verdict,
    answer_id, annotator_id, annotator_name, challenge_id, value, reason, seconds,
    probability_before, answered_at, created_at, undone_id)
SELECT question.project_id, removed.id, image.sha256, image.source,
    tile.grid, tile."left", tile.top, tile.width, tile.height, question.id, question.concept_id,
    coalesce(concept.name, question.text), question.verdict,
    answer.id, answer.annotator_id, coalesce(account.username, annotator.pseudonym),
    answer.challenge_id, answer.value, answer.reason, answer.seconds,
    answer.probability_before, answer.created_at, now(),
    %(undone)s::bigint
FROM labeling_answer AS answer
JOIN labeling_question AS question ON question.id = answer.question_id
JOIN labeling_tile AS tile ON tile.id = question.tile_id
JOIN labeling_image AS image ON image.id = tile.image_id
JOIN labeling_annotator AS annotator ON annotator.id = answer.annotator_id
LEFT JOIN auth_user AS account ON account.id = annotator.user_id
LEFT JOIN labeling_concept AS concept ON concept.id = question.concept_id
LEFT JOIN unnest(%(images)s::bigint[], %(removed)s::bigint[]) AS removed(image_id, id)
    ON removed.image_id = image.id
WHERE answer.id = ANY(%(answers)s)
"""


class RemovalError(ValueError):
    """Pictures cannot be removed like this; the message says why and what to do."""


class AnswersDiffer(RuntimeError):
    """Answers that were to be archived are not those that were: nothing is removed."""


class _Answered(Exception):
    """A challenge to describe a picture that goes is being answered."""


@dataclass(frozen=True)
class Removal:
    """What was removed; the answers are all in the archive."""

    images: int = 0
    questions: int = 0
    answers: int = 0

    def plus(self, other: "Removal") -> "Removal":
        """Return both together."""
        return Removal(
            self.images + other.images,
            self.questions + other.questions,
            self.answers + other.answers,
        )

    def __str__(self) -> str:
        return f"{count(self.images, 'picture')} with {count(self.answers, 'answer')}"


def remove(
    rows: Iterable[Image], *, by: AbstractBaseUser | None, reason: str, undone: Import | None = None
) -> Removal:
    """Remove pictures, a batch in a transaction; return how much was removed.

    Those that are gone already are passed over. undone: the import that is taken back with them,
    which writes the history itself. Raises RemovalError without a reason.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise RemovalError("Say why the pictures are removed: the history keeps it.")
    if len(reason) > REASON_LENGTH:
        raise RemovalError(f"The reason has {len(reason)} characters; {REASON_LENGTH} at most.")
    by_project: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_project[row.project_id].append(row.pk)
    total = Removal()
    for project in Project.objects.filter(pk__in=by_project).order_by("pk"):
        for batch in batched(sorted(by_project[project.pk]), BATCH):
            total = total.plus(_remove(project, batch, by=by, reason=reason, undone=undone))
    return total


def withdraw_questions(questions: Collection[int]) -> int:
    """Delete questions that no source states any more; return how many answers were archived.

    Call it inside a transaction that holds the project's images (`images.lock`).
    """
    locked = _locked_questions(Question.objects.filter(pk__in=questions))
    answers = _archive(locked, {})
    Question.objects.filter(pk__in=locked).delete()
    return answers.total()


def delete_files(limit: int | None = None) -> int:
    """Delete the stored files of removed pictures that no other image uses; return how many.

    Those that a snapshot may hold which is being written just now stay until it is written. What is
    rendered of them on this machine goes as well. Without its disk, nothing is deleted.
    """
    try:
        ownership.check()
    except StorageAway as error:
        logger.warning("The files of removed pictures stay: %s", error)
        return 0
    pending = RemovedImage.objects.exclude(file="").order_by("pk").values_list("pk", flat=True)
    return sum(map(_delete_files, batched(list(pending[:limit]), FILES_BATCH)))


def _remove(
    project: Project,
    ids: Sequence[int],
    *,
    by: AbstractBaseUser | None,
    reason: str,
    undone: Import | None,
) -> Removal:
    """Remove a batch of pictures in one transaction."""
    with transaction.atomic():
        lock(project)
        held = None
        while held is None:
            # Whoever writes a caption locks the challenge first, then the tile.
            Challenge.objects.filter(tile__image__in=ids).delete()
            held = _held(ids)
        locked, questions, tile_ids = held
        if not locked:
            return Removal()
        removed = _note(locked, by=by, reason=reason, undone=undone)
        answers = _archive(questions, {row.image_id: row.pk for row in removed})
        for row in removed:
            row.answers = answers[row.image_id]
        RemovedImage.objects.bulk_update(removed, ["answers"])
        removal = Removal(len(locked), len(questions), answers.total())
        _mark_snapshots(project, locked)
        duplicates.relink([row.pk for row in locked])
        sources = _text_sources(locked)
        Image.objects.filter(pk__in=[row.pk for row in locked]).delete()
        provenance.forget(sources)
        request_recomputation(project)
        if undone is None:
            audit.record(
                project=project,
                kind=Event.Kind.IMPORT,
                message=f"Removed {removal} ({_named(locked)}): {reason}",
                by=by,
            )
        expire_later(project, tile_ids)
        transaction.on_commit(delete_files, robust=True)
    return removal


def lock(project: Project) -> None:
    """Keep others from adding, removing and nominating pictures until the transaction ends."""
    images.lock(project)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_CONCEPTS, [project.pk])


def request_recomputation(project: Project) -> None:
    """Have figures, posteriors and priorities follow what was removed."""
    Recomputation.objects.update_or_create(project=project, defaults={"requested": True})
    pools.forget_priorities(project)


def expire_later(project: Project, tile_ids: Sequence[int]) -> None:
    """Expire the pending challenges that show a tile which goes, once the transaction commits."""
    transaction.on_commit(partial(_expire_challenges, project, tile_ids), robust=True)


def _held(ids: Sequence[int]) -> tuple[list[Image], list[int], list[int]] | None:
    """Lock pictures with their questions and tiles, and return the rows, and the ids of these.

    None, and nothing is locked, where somebody answers a challenge to describe one that was issued
    since such challenges were deleted: they may wait for what would be locked here.
    """
    with suppress(_Answered), transaction.atomic():
        rows = Image.objects.filter(pk__in=ids).order_by("pk")
        locked = list(rows.select_for_update(of=("self",)))
        about = Question.objects.filter(tile__image__in=locked)
        _locked_questions(about)
        tile_ids = _locked_tiles(locked)
        questions = _locked_questions(about)  # with captions that came until the tiles were locked
        late = Challenge.objects.filter(tile__in=tile_ids).order_by("pk")
        free = late.select_for_update(of=("self",), skip_locked=True)
        if len(free) < late.count():
            raise _Answered
        Challenge.objects.filter(pk__in=[row.pk for row in free]).delete()
        return locked, questions, tile_ids
    return None


def _locked_tiles(rows: Sequence[Image]) -> list[int]:
    locked = Tile.objects.filter(image__in=rows).order_by("pk").select_for_update(of=("self",))
    return [tile.pk for tile in locked]


def _locked_questions(questions: Any) -> list[int]:
    """Lock questions in the order of their ids, once answers to them are recorded."""
    return [q.pk for q in questions.order_by("pk").select_for_update(of=("self",)).only("pk")]


def _note(
    rows: Sequence[Image], *, by: AbstractBaseUser | None, reason: str, undone: Import | None
) -> list[RemovedImage]:
    """Store what is left of each picture."""
    return RemovedImage.objects.bulk_create(
        RemovedImage(
            project_id=row.project_id,
            image_id=row.pk,
            sha256=row.sha256,
            source=row.source,
            generated=row.generated,
            reason=reason,
            undone=undone,
            removed_by_id=by.pk if by else None,
            file=str(row.file.name),
        )
        for row in rows
    )


def _archive(questions: Sequence[int], removed: Mapping[int, int]) -> Counter[int]:
    """Move the answers to locked questions into the archive; count them by their image's id.

    removed: the archive's row of each image that goes. Raises AnswersDiffer.
    """
    answers = Answer.objects.filter(question__in=questions)
    rows = dict(answers.values_list("pk", "question__tile__image"))
    _move(list(rows), removed)
    return Counter(rows.values())


def archive_answers(answers: Collection[int], *, undone: Import) -> None:
    """Move answers, whose questions are locked, into the archive. Raises AnswersDiffer.

    undone: the import that brought them.
    """
    _move(list(answers), {}, undone=undone)


def _move(
    answers: Sequence[int], removed: Mapping[int, int], *, undone: Import | None = None
) -> None:
    """Move answers into the archive; removed: as of `_archive`. Raises AnswersDiffer."""
    if not answers:
        return
    values: dict[str, Any] = {
        "images": list(removed),
        "removed": list(removed.values()),
        "answers": list(answers),
        "undone": undone.pk if undone else None,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ARCHIVE, values)
        archived = cursor.rowcount
    deleted, _ = Answer.objects.filter(pk__in=answers).delete()
    if not archived == deleted == len(answers):
        raise AnswersDiffer(
            f"Of {len(answers):,} answers {archived:,} were archived and {deleted:,} deleted."
        )


def _text_sources(rows: Sequence[Image]) -> set[int | None]:
    """Return the ids of where the texts of pictures come from."""
    captions = Question.objects.filter(tile__image__in=rows, text_source__isnull=False)
    stated = ImportStatement.objects.filter(image__in=rows)
    return {
        *(row.text_source_id for row in rows),
        *captions.values_list("text_source", flat=True),
        *stated.values_list("text_source", flat=True),
    }


def _mark_snapshots(project: Project, rows: Sequence[Image]) -> None:
    """Count, in each snapshot that holds some of these pictures, how many were removed.

    One that is being published is waited for; one that is written still counts by itself.
    """
    held = Snapshot.objects.filter(
        Q(newest_image__gte=rows[0].pk) | Q(state=Snapshot.State.FREEZING), project=project
    )
    for snapshot in held.order_by("pk").select_for_update(of=("self",), no_key=True):
        held_of = sum(
            row.pk <= snapshot.newest_image and (snapshot.include_generated or not row.generated)
            for row in rows
        )
        Snapshot.objects.filter(pk=snapshot.pk).update(removed=F("removed") + held_of)


def _expire_challenges(project: Project, tile_ids: Sequence[int]) -> None:
    """Expire the pending challenges that show a tile, so that whoever sees one gets another.

    Those that are being answered just now are left: their answers about the tile find no question.
    The reservations of the others run out by themselves.
    """
    now = timezone.now()
    pending = Challenge.objects.filter(project=project, answered_at=None, expires_at__gt=now)
    with transaction.atomic():
        shown = pending.filter(tiles__overlap=list(tile_ids)).order_by("pk")
        locked = shown.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)
        Challenge.objects.filter(pk__in=list(locked)).update(expires_at=now)


def _delete_files(ids: Sequence[int]) -> int:
    """Delete the files of these removed pictures, while nobody stores any."""
    with transaction.atomic():
        files.hold_alone()
        rows = RemovedImage.objects.filter(pk__in=ids).exclude(file="")
        names = dict(rows.values_list("sha256", "file"))
        projects = Project.objects.values("pk")
        used = Image.objects.filter(project__in=projects, sha256__in=names)
        copied = _being_copied()
        unused = names.keys() - set(used.values_list("sha256", flat=True)) - copied
        kept = {sha256 for sha256 in sorted(unused) if not _delete_file(names[sha256])}
        tiles.forget_rendered(unused)
        rows.exclude(sha256__in=kept | copied).update(file="")
    return len(unused - kept)


def _being_copied() -> set[str]:
    """Return the hashes of removed pictures that a snapshot may still read.

    One that begins from now on reads no row of a picture that is removed already.
    """
    written = Snapshot.objects.filter(state=Snapshot.State.FREEZING).held()
    pending = RemovedImage.objects.exclude(file="").filter(project__in=written.values("project"))
    return set(pending.values_list("sha256", flat=True))


def _delete_file(name: str) -> bool:
    """Delete a file; one that cannot be is logged, and tried again later."""
    try:
        with asking():
            files.delete(name)
    except (OSError, StorageAway) as error:
        logger.warning("The file %s of a removed picture stays: %s", name, error)
        return False
    return True


def _named(rows: Sequence[Image]) -> str:
    more = f" and {len(rows) - 3:,} more" if len(rows) > 3 else ""
    return ", ".join(row.source for row in rows[:3]) + more

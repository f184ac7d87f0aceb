"""Ask about pictures by their 4 × 4 parts: cut them in batches, and put them back.

A cut picture is not asked about as a whole any more: questions about the whole that nobody has
answered become implicit, and those that somebody has answered are finished. Put back, it is asked
about as a whole again; a picture of whose parts something is known stays cut.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from labeling import audit, lease, question_state
from labeling.images import tiles, visible
from labeling.models import (
    Answer,
    Challenge,
    Comment,
    ConceptExample,
    Cutting,
    Event,
    Image,
    LeaseLost,
    NewPictures,
    Project,
    Question,
    Tile,
)

GRID = 4
SIDE_MIN = 128  # pixels: parts of a smaller picture show nothing
BATCH = 50  # pictures in a transaction

State = Cutting.State

_DROP_UNASKED = """
WITH unasked AS (
    SELECT q.id FROM labeling_question AS q JOIN labeling_tile AS tile ON tile.id = q.tile_id
    WHERE tile.image_id = ANY(%s) AND q.grid = 1 AND q.kind = 'concept' AND q.state = 'open'
        AND q.answers_count = 0 AND q.verdict IS NULL AND q.answers_wanted = 0
        AND NOT EXISTS (SELECT FROM unnest(q.reservations) AS expiry WHERE expiry > now())
        AND NOT EXISTS (SELECT FROM labeling_answer WHERE question_id = q.id)
    ORDER BY q.id FOR UPDATE OF q SKIP LOCKED
)
DELETE FROM labeling_question WHERE id IN (SELECT id FROM unasked)
"""


class PartsError(ValueError):
    """A picture cannot be cut or put back; the message says why."""


@dataclass(frozen=True)
class Progress:
    """How many of a project's pictures are asked about by their parts."""

    asked: bool  # whether new pictures are cut
    cut: int
    whole: int  # that are not: those below among them
    small: int  # too small to be cut
    kept_whole: int  # as somebody chose
    left: int  # that are still to be cut, or to be put back
    state: str  # of the job
    total: int  # of the job
    done: int
    kept: int  # that stayed cut when the others were put back


def ask(*, project: Project, by: AbstractBaseUser | None) -> None:
    """Cut the project's pictures from now on: those that are there, soon, and new ones."""
    with transaction.atomic():
        _set(project, True, by, "Pictures are asked about by their 4 × 4 parts from now on.")
        left = _to_cut(project).count()
        _start(project, State.CUTTING, left, by)


def stop(*, project: Project, by: AbstractBaseUser | None, restore: bool = False) -> None:
    """Cut no more pictures. restore: put those back of whose parts nothing is known."""
    with transaction.atomic():
        message = "New pictures are asked about as a whole from now on"
        message += "; cut ones are put back." if restore else "; cut ones stay cut."
        _set(project, False, by, message)
        state = State.RESTORING if restore else State.IDLE
        _start(project, state, _cut(project).count() if restore else 0, by)


def cut_picture(*, image: Image, by: AbstractBaseUser) -> None:
    """Ask about one picture by its parts. Raises PartsError."""
    if image.generated:
        raise PartsError("A generated picture is judged as a whole.")
    if min(image.width, image.height) < SIDE_MIN:
        raise PartsError(
            f"The picture has {image.width} × {image.height} pixels: from {SIDE_MIN} a side on a "
            "picture can be cut."
        )
    with transaction.atomic():
        Image.objects.filter(pk=image.pk).update(keep_whole=False)
        _cut_batch([image])
        _record(image.project, "is asked about by its parts.", by, image)


def restore_picture(*, image: Image, by: AbstractBaseUser) -> None:
    """Ask about one picture as a whole again, whatever becomes of others. Raises PartsError."""
    with transaction.atomic():
        if not _restore_batch([image.pk]):
            raise PartsError(
                "The picture stays cut: something is known of its parts (answers, gold, a "
                "decision, a comment or an example)."
            )
        Image.objects.filter(pk=image.pk).update(keep_whole=True)
        _record(image.project, "is asked about as a whole again.", by, image)


def progress(project: Project) -> Progress:
    """Return how many pictures are cut, and how far the job is."""
    pictures = Image.objects.filter(visible(), project=project, generated=False)
    job = Cutting.objects.filter(project=project).first() or Cutting(project=project)
    asked = Project.objects.values_list("ask_parts", flat=True).get(pk=project.pk)
    cut = pictures.filter(cut_into__gt=0).count()
    restoring = job.state == State.RESTORING
    return Progress(
        asked=asked,
        cut=cut,
        whole=pictures.count() - cut,
        small=pictures.filter(_SMALL, cut_into=0).count(),
        kept_whole=pictures.filter(~_SMALL, cut_into=0, keep_whole=True).count(),
        left=(
            _cut(project).filter(pk__gt=job.restored_to).count()
            if restoring
            else _to_cut(project).count()
            if asked
            else 0
        ),
        state=job.state,
        total=job.total,
        done=job.done,
        kept=job.kept,
    )


def due() -> list[Project]:
    """Return the projects whose pictures are to be cut or put back and nobody is at it."""
    new = Image.objects.filter(_UNCUT, project=OuterRef("pk"))
    asked = Project.objects.filter(Exists(new), ask_parts=True)
    waiting = Cutting.objects.exclude(state=State.IDLE).free()
    return list((asked | Project.objects.filter(pk__in=waiting.values("project"))).distinct())


def run(project: Project) -> int | None:
    """Cut or put back a project's pictures until none is left; return how many.

    Return None where another process is at it. It can be stopped at any time, and goes on where it
    was. What is asked for meanwhile is done at the next batch.
    """
    Cutting.objects.get_or_create(project=project)
    job = Cutting.objects.acquire(project.pk)
    if job is None:
        return None
    count = 0
    if job.state == State.IDLE:
        job.renew(state=State.CUTTING, total=_to_cut(project).count(), done=0, kept=0)
    try:
        with lease.kept(job):
            while batch := _next(job):
                done, kept = batch
                count += done
                job.renew(done=F("done") + done, kept=F("kept") + kept)
    except LeaseLost:
        return count
    job.release(state=State.IDLE, finished_at=timezone.now())
    return count


_SMALL = Q(width__lt=SIDE_MIN) | Q(height__lt=SIDE_MIN)
_UNCUT = Q(
    generated=False,
    cut_into=0,
    keep_whole=False,
    width__gte=SIDE_MIN,
    height__gte=SIDE_MIN,
)


def _to_cut(project: Project) -> QuerySet[Image]:
    return Image.objects.filter(_UNCUT, project=project)


def _cut(project: Project) -> QuerySet[Image]:
    return Image.objects.filter(project=project, generated=False, cut_into__gt=0)


def _next(job: Cutting) -> tuple[int, int] | None:
    """Do the next batch; return how many pictures were done and kept, None where none is left."""
    job.refresh_from_db(fields=["state", "restored_to"])
    project = Project.objects.get(pk=job.pk)
    if job.state == State.RESTORING and not project.ask_parts:
        ids = list(
            _cut(project).filter(pk__gt=job.restored_to).order_by("pk").values_list("pk", flat=True)
        )[:BATCH]
        if not ids:
            return None
        done = _restore_batch(ids)
        job.renew(restored_to=ids[-1])
        return done, len(ids) - done
    if not project.ask_parts:
        return None
    batch = list(_to_cut(project).order_by("pk")[:BATCH])
    return (_cut_batch(batch), 0) if batch else None


def _cut_batch(images: Sequence[Image]) -> int:
    """Cut pictures in one transaction; return how many."""
    with transaction.atomic():
        count = tiles.cut_many(images, GRID)
        with connection.cursor() as cursor:
            cursor.execute(_DROP_UNASKED, [[image.pk for image in images]])
    return count


def _restore_batch(ids: Sequence[int]) -> int:
    """Put those of these pictures back of whose parts nothing is known; return how many."""
    with transaction.atomic():
        locked = Image.objects.filter(pk__in=ids).order_by("pk")
        images = list(locked.select_for_update(of=("self",), no_key=True))
        parts = Question.objects.filter(tile__image__in=ids, grid__gt=1)
        question_state.lock(parts.values_list("pk", flat=True))  # so that nobody answers meanwhile
        known = _with_known_parts(ids)
        free = [image for image in images if image.pk not in known and image.cut_into]
        gone = Tile.objects.filter(image__in=free, grid__gt=1)
        _expire(gone.values_list("pk", flat=True))
        gone.delete()
        Image.objects.filter(pk__in=[image.pk for image in free]).update(cut_into=0)
        if free:
            NewPictures.objects.create(
                project_id=free[0].project_id,
                grid=1,
                random_keys=[image.random_key for image in free],
            )
    return len(free)


def _with_known_parts(ids: Sequence[int]) -> set[int]:
    """Return those of the pictures of whose parts something is known, which would be lost."""
    of_part = Q(tile__image__in=ids, tile__grid__gt=1)
    answered = Answer.objects.filter(
        question__tile__image__in=ids, question__grid__gt=1
    ).values_list("question__tile__image", flat=True)
    decided = Question.objects.filter(of_part, verdict__isnull=False)
    commented = Comment.objects.filter(of_part)
    examples = ConceptExample.objects.filter(of_part)
    image_ids = set(answered)
    for rows in (decided, commented, examples):
        image_ids.update(rows.order_by().values_list("tile__image", flat=True))
    return image_ids


def _expire(gone: Iterable[int]) -> None:
    """Let challenges that show tiles which go away expire: their annotators get others."""
    now = timezone.now()
    pending = Challenge.objects.filter(answered_at=None, expires_at__gt=now)
    pending.filter(tiles__overlap=list(gone)).update(expires_at=now)


def _set(project: Project, asked: bool, by: AbstractBaseUser | None, message: str) -> None:
    changed = Project.objects.filter(pk=project.pk).exclude(ask_parts=asked)
    if changed.update(ask_parts=asked, version=F("version") + 1):
        audit.record(project=project, kind=Event.Kind.PROJECT, message=message, by=by, row=project)
    project.refresh_from_db(fields=["ask_parts", "version"])


def _start(project: Project, state: State, total: int, by: AbstractBaseUser | None) -> None:
    """Have the job do this from now on, from the beginning."""
    fields = {"state": state, "total": total, "done": 0, "kept": 0, "restored_to": 0}
    fields |= {"requested_by_id": by.pk if by else None, "finished_at": None}
    Cutting.objects.update_or_create(project=project, defaults=fields)


def _record(project: Project, message: str, by: AbstractBaseUser, image: Image) -> None:
    message = f"“{image}” {message}"
    audit.record(project=project, kind=Event.Kind.PROJECT, message=message, by=by, row=image)

"""Take an import back, whole: the state is then as if only the other imports had been made.

Pictures that it brought go, unless another import has brought them again: they stay as that one
describes them. What it stated of pictures that were there already is taken back, and gold, concepts
and class sets that nothing else speaks of go with it. Answers to what goes are archived.

Each batch is a transaction, and what is left to do is found in the rows: so it goes on where it was
interrupted.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from labeling import (
    audit,
    concepts,
    database_errors,
    images,
    lease,
    provenance,
    removal,
    restating,
    snapshot_marks,
)
from labeling.concepts import Conflict
from labeling.concepts.statements import naming
from labeling.gold import marking
from labeling.imports import box_tiles, stated_captions, statements
from labeling.imports.answers import undo as answers_undo
from labeling.models import (
    ClassSet,
    Concept,
    Event,
    Image,
    Import,
    ImportStatement,
    Project,
    Tile,
)
from labeling.models.projects import name_key
from labeling.numbers import count
from labeling.removal import Removal
from labeling.restating import Watch

BATCH = 100  # pictures in a transaction
State = Import.State
UNDOABLE = (State.DONE, State.FAILED, State.CANCELLED, State.UNDOING)
_HOLD_CLASS_SETS = """
SELECT FROM labeling_classset WHERE project_id = %s ORDER BY id FOR KEY SHARE
"""

OnProgress = Callable[[int], None]  # called with the number of pictures that were looked at


class UndoError(ValueError):
    """The import cannot be taken back; the message says why."""


def undo(record: Import, by: AbstractBaseUser | None) -> Import:
    """Take an import back here and now; return its row as it is then. Raises UndoError."""
    return run(begin(record, by))


def begin(record: Import, by: AbstractBaseUser | None) -> Import:
    """Mark an import as one that is being taken back; `run` does it. Raises UndoError."""
    with transaction.atomic():
        rows = Import.objects.filter(pk=record.pk, state__in=UNDOABLE).exclude(state=State.UNDOING)
        user = by.pk if by else None
        begun = rows.free().update(state=State.UNDOING, undone_by=user, error="", done=0)
        record = Import.objects.select_related("project").get(pk=record.pk)
        if not begun and record.state != State.UNDOING:
            raise UndoError(_refusal(record))
        if begun:
            _audit(record, f"Began to take back the import {record}.")
    return record


def run(record: Import, on_progress: OnProgress | None = None) -> Import:
    """Take back an import that was begun, or go on with it; return its row as it is then.

    One that somebody else is at is left alone. Raises LeaseLost where somebody else took over.
    """
    undoing = Import.objects.filter(state=State.UNDOING)
    held: Import | None = undoing.acquire(record.pk, attempts=F("attempts") + 1)
    if held is not None:
        _Undoing(held, on_progress).run()
    return Import.objects.get(pk=record.pk)


def waiting() -> QuerySet[Import]:
    """Return the imports that are to be taken back and that nobody is at."""
    return Import.objects.filter(state=State.UNDOING).free().order_by("pk")


def _refusal(record: Import) -> str:
    if record.state == State.UNDONE:
        return f"The import {record} was taken back already."
    return f"The import {record} is at work: cancel it first, or wait until it is done."


def _audit(record: Import, message: str) -> None:
    audit.record(
        project=record.project,
        kind=Event.Kind.IMPORT,
        message=message,
        by=record.undone_by,
        row=record,
    )


class _Undoing:
    """Takes a leased import back."""

    def __init__(self, held: Import, on_progress: OnProgress | None) -> None:
        self.record, self.project = held, held.project
        self.on_progress = on_progress
        self.boxed: set[int] = set()  # pictures of the batch with boxes of which it spoke
        self.counts = {"removed": 0, "restored": 0, "archived": 0, "gold": 0, "concepts": 0}
        self.counts |= {key: held.counts[key] for key in self.counts.keys() & held.counts.keys()}

    def run(self) -> None:
        """Take back batch by batch, then what no picture holds any more."""
        try:
            with lease.kept(self.record):
                self._take_all_back()
        except Exception as error:
            if not connection.needs_rollback:
                reason = database_errors.why(error) or str(error) or type(error).__name__
                lease.give_back(self.record, error=reason)
            raise
        with transaction.atomic():
            self.record.release(
                state=State.UNDONE, finished_at=timezone.now(), counts=self._all_counts()
            )
            _audit(self.record, f"Took back the import {self.record}: {summary(self.counts)}.")

    def _take_all_back(self) -> None:
        for images_of in (self._brought, self._mentioned):
            while batch := images_of():
                self._take_back(batch)
        self._take_back_answers()
        self._mark_gold()
        self._add(gold=marking.take_back(self.record))
        self._add(concepts=_delete_concepts(self.record))
        _delete_class_sets(self.project)
        provenance.forget(list(self.record.text_sources.values_list("pk", flat=True)))

    def _mark_gold(self) -> None:
        """Mark the snapshots that hold what a gold list says; of pictures it is done with them."""
        if self.record.kind == Import.Kind.GOLD:
            marks = self.record.gold_marks.filter(ended_at=None, value__isnull=False)
            with transaction.atomic():
                images_of = marks.values_list("tile__image", flat=True)
                snapshot_marks.mark_restated(self.record, images_of)

    def _take_back_answers(self) -> None:
        done = self.record.done
        while count_of := answers_undo.take_back(self.record):
            done += count_of
            self._add(archived=count_of)
            self.record.renew(done=done, counts=self._all_counts())
            if self.on_progress is not None:
                self.on_progress(done)
        if self.record.kind != Import.Kind.PICTURES:
            removal.request_recomputation(self.project)

    def _brought(self) -> list[int]:
        """Return the next pictures that the import brought."""
        rows = self.record.images.order_by("pk").values_list("pk", flat=True)
        return list(rows[:BATCH])

    def _mentioned(self) -> list[int]:
        """Return the next pictures of others that the import speaks of."""
        rows = ImportStatement.objects.filter(imported_by=self.record).order_by("image")
        return list(rows.values_list("image", flat=True).distinct()[:BATCH])

    def _take_back(self, ids: Collection[int]) -> None:
        """Take back what is said of pictures.

        Where another import has spoken of them since their captions were settled, nothing is done:
        they come again with the next batch.
        """
        settled = self._settle_captions(ids)
        self._settle_boxes(ids)
        with transaction.atomic():
            images.lock(self.project)
            with connection.cursor() as cursor:  # before the concepts, as an import does
                cursor.execute(_HOLD_CLASS_SETS, [self.project.pk])
            removal.lock(self.project)
            rows = list(Image.objects.filter(pk__in=ids).order_by("pk").select_for_update())
            kept = statements.by_image(ids)
            left = self._left(kept)
            if _keys(left) != settled:
                return
            going = [row for row in rows if not left.get(row.pk)]
            staying = [row for row in rows if left.get(row.pk)]
            removed = self._remove(going)
            snapshot_marks.mark_restated(self.record, self._restated(staying, kept, left))
            _restore(self.record, self.project, staying, left)
            removal.request_recomputation(self.project)
            self._add(removed=removed.images, restored=len(staying), archived=removed.answers)
            done = self.record.done + len(rows)
            self.record.renew(done=done, counts=self._all_counts())
        if self.on_progress is not None:
            self.on_progress(done)

    def _settle_captions(self, ids: Collection[int]) -> set[int]:
        """Have the captions of pictures that stay be those that other imports state.

        Return the keys of the statements by which they are so. In a transaction of its own: the
        questions are locked in the order of their ids.
        """
        with transaction.atomic():
            images.lock(self.project)
            left = self._left(statements.by_image(ids))
            stated_captions.settle(left)
        return _keys(left)

    def _settle_boxes(self, ids: Collection[int]) -> None:
        """Have the boxes of pictures that stay be those that other imports state."""
        staying = list(self._left(statements.by_image(ids)))
        own = self.record.box_statements.filter(tile__image__in=staying)
        self.boxed = set(own.values_list("tile__image", flat=True))
        box_tiles.take_back(self.record, staying)
        self._add(archived=box_tiles.remove_unstated(self.project, staying))

    def _left(self, kept: statements.Statements) -> statements.Statements:
        """Return what other imports state, of the images of which they state something."""
        left = {
            pk: [row for row in rows if row.imported_by_id != self.record.pk]
            for pk, rows in kept.items()
        }
        return {pk: rows for pk, rows in left.items() if rows}

    def _restated(
        self, staying: Sequence[Image], kept: statements.Statements, left: statements.Statements
    ) -> set[int]:
        """Return those of the pictures that stay of which the import alone says something."""
        ids = [row.pk for row in staying]
        restated = {
            pk for pk in ids if statements.saying(kept.get(pk, [])) != statements.saying(left[pk])
        }
        marks = self.record.gold_marks.filter(ended_at=None, tile__image__in=ids)
        restated |= set(marks.values_list("tile__image", flat=True))
        return restated | (self.boxed & set(ids))

    def _remove(self, rows: Sequence[Image]) -> Removal:
        reason = f"The import {self.record} was taken back."[: removal.REASON_LENGTH]
        return removal.remove(rows, by=self.record.undone_by, reason=reason, undone=self.record)

    def _add(self, **counts: int) -> None:
        for name, number in counts.items():
            self.counts[name] += number

    def _all_counts(self) -> dict[str, Any]:
        return {**self.record.counts, **self.counts}


def _keys(rows_of: statements.Statements) -> set[int]:
    return {row.pk for rows in rows_of.values() for row in rows}


def summary(counts: dict[str, int]) -> str:
    """Return in words what was taken back."""
    return (
        f"{count(counts['removed'], 'picture')} removed, "
        f"{counts['restored']:,} as other imports describe them, "
        f"{count(counts['archived'], 'answer')} archived, "
        f"{count(counts['concepts'], 'concept')} deleted"
    )


def _restore(
    record: Import,
    project: Project,
    rows: Sequence[Image],
    left: statements.Statements,
) -> None:
    """Let pictures be as the other imports describe them; left: what those state."""
    if not rows:
        return
    wholes = Tile.objects.filter(image__in=rows, grid=1)
    watch = Watch(project, list(wholes.values_list("pk", flat=True)))
    for row in rows:
        statements.replay(row, left[row.pk])
    images.save_statements(rows, [*statements.ROW, *statements.ORIGIN])
    restating.restate({}, watch.changes())
    ImportStatement.objects.filter(image__in=rows, imported_by=record).delete()
    alone = [row for row in rows if statements.is_all(left[row.pk])]
    ImportStatement.objects.filter(image__in=alone).delete()  # their own rows say it all


def _delete_concepts(record: Import) -> int:
    """Delete the concepts that the import made and nothing else speaks of; return how many.

    Those that another import chose, or whose pictures it brought, are its own from now on. What
    stays has the prevalence that the remaining pictures give it.
    """
    deleted = 0
    for concept in Concept.objects.filter(pk__in=record.made_concepts).order_by("-pk"):
        heir = _heir(record, concept)
        if heir is not None:
            _hand_over(concept, heir)
        elif not _is_spoken_of(concept) and _delete(concept, record.undone_by):
            deleted += 1
            continue
        if concept.merged_into_id is None:
            concepts.restate_prevalence(concept)
    return deleted


def _heir(record: Import, concept: Concept) -> Import | None:
    """Return another import that speaks of a concept: that chose it, or whose pictures name it."""
    others = Import.objects.filter(project=record.project).exclude(pk=record.pk)
    others = others.exclude(state__in=[State.UNDOING, State.UNDONE]).order_by("pk")
    for other in others.filter(concepts__isnull=False):
        if any(name_key(name) in concept.keys for name in other.concepts or ()):
            return other
    named = naming(concept.project, concept.keys)
    return others.filter(
        Exists(named.filter(imported_by=OuterRef("pk")))
        | Exists(ImportStatement.objects.filter(imported_by=OuterRef("pk"), image__in=named))
    ).first()


def _hand_over(concept: Concept, heir: Import) -> None:
    with transaction.atomic():
        locked = Import.objects.select_for_update().get(pk=heir.pk)
        if concept.pk not in locked.made_concepts:
            made = [*locked.made_concepts, concept.pk]
            Import.objects.filter(pk=heir.pk).update(made_concepts=made)


def _is_spoken_of(concept: Concept) -> bool:
    """Whether somebody changed or explained a concept, decided about it, or a picture names it."""
    return bool(
        concept.version
        or concept.definition
        or concept.merged_into_id
        or concept.merged.exists()
        or concept.examples.exists()
        or concept.phrases.exists()
        or concept.questions.filter(verdict__isnull=False).exists()
        or naming(concept.project, concept.keys).exists()
    )


def _delete(concept: Concept, by: Any) -> bool:
    """Delete a concept, unless somebody has answered about it."""
    try:
        concepts.delete(concept, by=by)
    except Conflict:
        return False
    return True


def _delete_class_sets(project: Project) -> None:
    """Delete the class sets of which no picture is; an import that needs one makes it again."""
    with transaction.atomic():
        unused = ClassSet.objects.filter(project=project, images=None, statements=None)
        ids = list(unused.values_list("pk", flat=True))
        locked = ClassSet.objects.filter(pk__in=ids).order_by("pk").select_for_update()
        list(locked.values_list("pk"))
        ClassSet.objects.filter(pk__in=ids, images=None, statements=None).delete()

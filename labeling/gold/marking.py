"""Mark gold, and take marks back: under the locks under which answers are recorded.

A question that has answers and becomes gold, or is gold no longer, teaches something else about
those who answered: the project is recomputed soon.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from labeling import audit, excluding, presence, question_posteriors, question_state, questions
from labeling.batches import batched
from labeling.models import (
    Concept,
    Event,
    GoldMark,
    Import,
    Project,
    Question,
    Recomputation,
    Tile,
)
from labeling.restating import Pair

BATCH = 200  # pairs that are marked in one transaction

Origin = GoldMark.Origin
Reason = Question.Reason
State = Question.State

GENERATED = "a model generated the picture: people say what it shows, nobody knows it beforehand"
FOREIGN = "the project has no such picture"
WITHOUT_CONCEPT = "the project has no such concept"
DIFFERS = "its truth was known, or decided, to be the other one"


class GoldError(ValueError):
    """Something cannot be gold; the message says why, and what to do."""


@dataclass
class Outcome:
    """What became of pairs that were to be gold; their sum is the number of pairs."""

    marked: int = 0  # that were no gold before
    changed: int = 0  # gold with the other truth before
    unchanged: int = 0  # gold with that truth before
    refused: dict[Pair, str] = field(default_factory=dict)  # and why
    corrected: set[Pair] = field(default_factory=set)  # of those changed: what imports had said
    parts: int = 0  # besides: gold parts of pictures that do not show it as a whole

    @property
    def gold(self) -> int:
        """Pairs that are gold now."""
        return self.marked + self.changed + self.unchanged

    def add(self, other: "Outcome") -> None:
        """Add what became of other pairs."""
        self.marked += other.marked
        self.changed += other.changed
        self.unchanged += other.unchanged
        self.refused |= other.refused
        self.corrected |= other.corrected
        self.parts += other.parts


def mark(
    *,
    tile: Tile,
    concept: Concept,
    value: bool,
    by: AbstractBaseUser,
    origin: Origin = Origin.QUESTION,
) -> Question:
    """Make a pair gold: it is known whether the tile shows the concept.

    Raises GoldError, and PictureGone.
    """
    with transaction.atomic():
        outcome = mark_pairs(
            project=tile.image.project, values={(tile.pk, concept.pk): value}, by=by, origin=origin
        )
        for reason in outcome.refused.values():
            if reason == FOREIGN:
                presence.hold(tile=tile)  # says so if the picture was removed just now
            raise GoldError(f"That cannot be gold: {reason}.")
        concept = concept.merged_into or concept
        return Question.objects.get(tile=tile, concept=concept)


def mark_caption(
    *, question: Question, value: bool, by: AbstractBaseUser, origin: Origin = Origin.QUESTION
) -> Question:
    """Make a caption gold: it is known whether it describes its tile. Raises GoldError."""
    if question.kind != Question.Kind.CAPTION:
        raise GoldError("That question is about a concept: mark its tile and concept.")
    if question.source == Question.Source.MODEL:
        raise GoldError(f"That cannot be gold: {GENERATED}.")
    with transaction.atomic():
        locked = question_state.lock([question.pk])
        if not locked:
            raise GoldError("The question is gone.")
        _make_gold(locked, {question.pk: value}, by=by, origin=origin, imported_by=None)
    return locked[0]


def mark_pairs(
    *,
    project: Project,
    values: Mapping[Pair, bool],
    by: AbstractBaseUser | None,
    origin: Origin,
    imported_by: Import | None = None,
    record: bool = True,
) -> Outcome:
    """Make pairs of a project gold, each with its truth; return what became of them.

    A pair of a concept that was merged is one of the concept that took over. Where a cut picture as
    a whole does not show a concept, none of its parts does: they are gold, too. That it shows it
    says of no single part that it does. What an import says
    comes after people: it changes neither their gold nor a reviewer's decision, but what an earlier
    import said. Each batch of pairs is
    one transaction, with an event in the project's history unless not to `record` (an import has
    one of its own).
    """
    total = Outcome()
    parts = _parts_without(values)
    if parts:
        total.parts = mark_pairs(
            project=project,
            values=parts,
            by=by,
            origin=Origin.WHOLE if imported_by is None else origin,
            imported_by=imported_by,
            record=False,
        ).gold
    for batch in batched(sorted(values), BATCH):
        with transaction.atomic():
            outcome = _mark(
                project, {pair: values[pair] for pair in batch}, by, origin, imported_by
            )
            if record and outcome.marked + outcome.changed:
                _record(project, values, batch, outcome, by)
        total.add(outcome)
    return total


def set_aside(*, tile: Tile, concept: Concept, by: AbstractBaseUser | None, origin: Origin) -> None:
    """Remember that somebody was not sure of a pair, or refused it: it is not proposed again.

    Gold that the pair was is withdrawn, and people are asked again. Raises PictureGone.
    """
    with transaction.atomic():
        question = Question.objects.filter(tile=tile, concept=concept, state=State.GOLD).first()
        presence.hold(question=question, tile=tile)
        if question is not None:
            unmark(question=question, by=by, settle=False)
        _end_marks(Q(tile=tile, concept=concept))
        GoldMark.objects.create(
            tile=tile, concept=concept, origin=origin, user_id=by.pk if by else None
        )


def unmark(
    *, question: Question, by: AbstractBaseUser | None, settle: bool, record: bool = True
) -> Question:
    """Let a gold question be gold no longer; its answers stay. Raises GoldError.

    settle: its truth remains as a decided label; else it is withdrawn, and people are asked.
    record: whether the project's history gets an event; else the caller adds one.
    """
    with transaction.atomic():
        locked = question_state.lock([question.pk])
        if not locked or locked[0].state != State.GOLD:
            raise GoldError("That question is not gold (any more): nothing was changed.")
        (stored,) = locked
        _retire(stored, by, settle=settle)
        question_state.save_decided(locked)
        excluding.follow(locked)
        _end_marks(_marks_of(stored))
        _request_recomputation(stored.project, locked)
        if record:
            audit.record(
                project=stored.project,
                kind=Event.Kind.GOLD,
                message=f"“{stored.wording}” is gold no longer"
                + (": its truth stays as a decision." if settle else ": people are asked again."),
                by=by,
                row=stored,
            )
    return stored


def replace(
    *,
    old: Question,
    tile: Tile,
    value: bool,
    by: AbstractBaseUser,
    settle: bool = True,
    origin: Origin = Origin.PROPOSAL,
) -> Question:
    """Retire a gold question about a concept, and make another tile gold for it.

    settle: as of `unmark`. Return the new gold question. Raises GoldError, and then changes
    nothing.
    """
    if old.concept is None:
        raise GoldError("That question is about a caption: unmark it, and mark another.")
    if old.tile_id == tile.pk:
        raise GoldError("Choose another picture to take its place: nothing was changed.")
    with transaction.atomic():
        unmark(question=old, by=by, settle=settle)
        return mark(tile=tile, concept=old.concept, value=value, by=by, origin=origin)


def take_back(imported_by: Import) -> int:
    """Take back the gold that an import brought and nobody has marked since; return how much.

    Where a reviewer had decided before, the decision stands again.
    """
    marks = GoldMark.objects.filter(imported_by=imported_by, ended_at=None, value__isnull=False)
    count = 0
    for batch in batched(marks.order_by("pk").values_list("pk", flat=True), BATCH):
        with transaction.atomic():
            count += _take_back(batch)
    return count


def _parts_without(values: Mapping[Pair, bool]) -> dict[Pair, bool]:
    """Return the pairs of parts whose truth is no, since the whole does not show the concept."""
    concepts_of: dict[int, list[int]] = {}
    for (tile, concept), value in values.items():
        if not value:
            concepts_of.setdefault(tile, []).append(concept)
    wholes = Tile.objects.filter(pk__in=concepts_of, grid=1, image__cut_into__gt=0)
    image_of = dict(wholes.order_by().values_list("image", "pk"))
    parts = Tile.objects.filter(image__in=image_of, grid__gt=1).order_by()
    return {
        (part, concept): False
        for part, image in parts.values_list("pk", "image_id")
        for concept in concepts_of[image_of[image]]
    }


def _mark(
    project: Project,
    values: Mapping[Pair, bool],
    by: AbstractBaseUser | None,
    origin: Origin,
    imported_by: Import | None,
) -> Outcome:
    """Mark a batch within a transaction."""
    concepts, survivors = questions.lock_concepts(project, {concept for _, concept in values})
    followed = {pair: (pair[0], survivors.get(pair[1], pair[1])) for pair in values}
    problems = _problems(project, followed, concepts)
    wanted = {followed[pair]: value for pair, value in values.items() if pair not in problems}
    questions.ask_pairs(
        project=project,
        pairs=wanted.keys(),
        reason=Reason.STATED if by is None else Reason.DECIDED,
    )
    rows = Question.objects.filter(
        tile__in={tile for tile, _ in wanted}, concept__in={concept for _, concept in wanted}
    ).order_by()
    ids = {
        pk: wanted[tile, concept]
        for pk, tile, concept in rows.values_list("pk", "tile_id", "concept_id")
        if concept is not None and (tile, concept) in wanted
    }
    locked = question_state.lock(ids)
    outcome = _make_gold(locked, ids, by=by, origin=origin, imported_by=imported_by)
    outcome.unchanged += len(values) - len(problems) - len(wanted)  # that are the same pair
    outcome.refused |= problems
    return outcome


def _problems(
    project: Project, followed: Mapping[Pair, Pair], concepts: Mapping[int, Concept]
) -> dict[Pair, str]:
    """Return why some of these pairs cannot be gold."""
    tiles = {tile for tile, _ in followed}
    own = Tile.objects.filter(pk__in=tiles, image__project=project).order_by()
    generated = dict(own.values_list("pk", "image__generated"))
    problems = {}
    for pair, (tile, concept) in followed.items():
        if tile not in generated:
            problems[pair] = FOREIGN
        elif generated[tile]:
            problems[pair] = GENERATED
        elif concept not in concepts:
            problems[pair] = WITHOUT_CONCEPT
    return problems


def _make_gold(
    locked: Sequence[Question],
    values: Mapping[int, bool],
    *,
    by: AbstractBaseUser | None,
    origin: Origin,
    imported_by: Import | None,
) -> Outcome:
    """Make locked questions gold, by their ids, and write them. No person: people come first."""
    outcome, changed, marks = Outcome(), [], []
    earlier = _of_earlier_imports(locked, imported_by)
    for question in locked:
        value, before = values[question.pk], question.verdict
        corrects = earlier.get(question.pk)
        if question.state == State.GOLD and before == value:
            outcome.unchanged += 1
        elif by is None and before is not None and before != value and corrects is None:
            outcome.refused[question.tile_id, question.concept_id or 0] = DIFFERS
        else:
            outcome.changed += question.state == State.GOLD
            outcome.marked += question.state != State.GOLD
            was_gold = question.state == State.GOLD
            marks.append(_new_mark(question, value, None if was_gold else before))
            if corrects is not None:
                marks[-1].corrects = corrects
                outcome.corrected.add((question.tile_id, question.concept_id or 0))
            _set_gold(question, value, by)
            changed.append(question)
    for new in marks:
        new.origin, new.imported_by = origin, imported_by
        new.user_id = by.pk if by else None
    _end_marks(*map(_marks_of, changed))
    GoldMark.objects.bulk_create(marks)
    question_state.save_decided(changed)
    excluding.follow(changed)
    if changed:
        _request_recomputation(changed[0].project, changed)
    return outcome


def _of_earlier_imports(
    locked: Sequence[Question], imported_by: Import | None
) -> dict[int, GoldMark]:
    """Return the marks by which gold questions are what an earlier import alone says, by their ids.

    None where it is not an import that marks.
    """
    if imported_by is None:
        return {}
    golden = {
        (question.tile_id, question.concept_id): question.pk
        for question in locked
        if question.state == State.GOLD and question.decided_by_id is None
    }
    marks = GoldMark.objects.filter(
        tile__in={tile for tile, _ in golden},
        concept__in={concept for _, concept in golden if concept is not None},
        ended_at=None,
        user=None,
        verdict_before=None,
        imported_by__isnull=False,
    ).exclude(imported_by=imported_by)
    return {
        golden[mark.tile_id, mark.concept_id]: mark
        for mark in marks
        if (mark.tile_id, mark.concept_id) in golden
    }


def _set_gold(question: Question, value: bool, by: AbstractBaseUser | None) -> None:
    question.verdict, question.state, question.answers_wanted = value, State.GOLD, 0
    question.settled_at = None
    if by is not None:
        question.decided_by_id = by.pk
    question_state.update_state(question)


def _retire(question: Question, by: AbstractBaseUser | None, *, settle: bool) -> None:
    """Let a locked gold question be decided, or open; it is to be saved."""
    question.state = State.OPEN
    if settle:
        question.decided_by_id = by.pk if by else question.decided_by_id
        question_state.update_state(question)
    else:
        question.verdict = question.decided_by_id = None
        question_posteriors.recompute_locked([question])


def _take_back(marks: Sequence[int]) -> int:
    """Take back a batch of an import's marks within a transaction."""
    rows_of_marks = list(GoldMark.objects.filter(pk__in=marks))
    verdicts = {(mark.tile_id, mark.concept_id): mark.verdict_before for mark in rows_of_marks}
    corrected = {(mark.tile_id, mark.concept_id): _standing(mark) for mark in rows_of_marks}
    rows = Question.objects.filter(
        state=State.GOLD,
        tile__in={tile for tile, _ in verdicts},
        concept__in={concept for _, concept in verdicts},
    ).order_by()
    ids = [pk for pk, *pair in rows.values_list("pk", "tile", "concept") if tuple(pair) in verdicts]
    locked = [question for question in question_state.lock(ids) if question.state == State.GOLD]
    for question in locked:
        pair = question.tile_id, question.concept_id
        if (earlier := corrected[pair]) is not None and earlier.value is not None:
            _set_gold(question, earlier.value, None)
        else:
            _retire(question, None, settle=verdicts[pair] is not None)
    question_state.save_decided(locked)
    excluding.follow(locked)
    GoldMark.objects.filter(pk__in=marks).update(ended_at=timezone.now())
    standing = [earlier.pk for earlier in corrected.values() if earlier is not None]
    GoldMark.objects.filter(pk__in=standing).update(ended_at=None)
    if locked:
        _request_recomputation(locked[0].project, locked)
    return len(locked)


def _standing(mark: GoldMark) -> GoldMark | None:
    """Return what an earlier import said of a mark's pair, unless that was taken back as well."""
    gone = (Import.State.UNDOING, Import.State.UNDONE)
    earlier = mark.corrects
    while earlier is not None and (
        earlier.imported_by is None or earlier.imported_by.state in gone
    ):
        earlier = earlier.corrects
    return earlier


def _new_mark(question: Question, value: bool, verdict_before: bool | None) -> GoldMark:
    is_caption = question.concept_id is None
    return GoldMark(
        tile_id=question.tile_id,
        concept_id=question.concept_id,
        question=question if is_caption else None,
        value=value,
        verdict_before=verdict_before,
    )


def _marks_of(question: Question) -> Q:
    if question.concept_id is None:
        return Q(question=question)
    return Q(tile=question.tile_id, concept=question.concept_id)


def _end_marks(*pairs: Q) -> None:
    """End the marks that hold of these pairs."""
    for condition in pairs:
        GoldMark.objects.filter(condition, ended_at=None).update(ended_at=timezone.now())


def _request_recomputation(project: Project, changed: Iterable[Question]) -> None:
    """Have the project recomputed soon where somebody has answered these questions."""
    if any(question.answers_count for question in changed):
        Recomputation.objects.filter(project=project).update(requested=True)


def _record(
    project: Project,
    values: Mapping[Pair, bool],
    batch: Sequence[Pair],
    outcome: Outcome,
    by: AbstractBaseUser | None,
) -> None:
    """Add what was marked to the project's history."""
    if len(batch) > 1:
        yes = sum(values[pair] for pair in batch)
        count = outcome.marked + outcome.changed
        message = (
            f"Marked {count} as gold, of {len(batch)} pairs: {yes} yes, {len(batch) - yes} no."
        )
        audit.record(project=project, kind=Event.Kind.GOLD, message=message, by=by)
        return
    ((tile, concept),) = batch
    question = Question.objects.select_related("concept").filter(tile=tile, concept=concept).first()
    wording = question.wording if question else f"concept {concept}"
    message = f"“{wording}” is gold: {'yes' if values[tile, concept] else 'no'}."
    audit.record(project=project, kind=Event.Kind.GOLD, message=message, by=by, row=question)

"""Merge synonyms: one concept takes over the questions, answers and names of another.

The first transaction renames: from then on nobody is asked about the merged concept, and its names
name the survivor. Then its questions are moved, a batch in a transaction; a worker goes on where
that is interrupted. A moved question leaves the merged concept's random slice, and enters the
survivor's once that comes to its picture: so both remain uniform samples.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from labeling import (
    audit,
    beliefs,
    bulk_update,
    concepts,
    guides,
    pools,
    question_posteriors,
    question_state,
)
from labeling.aggregation import online
from labeling.batches import batched
from labeling.beliefs import Beliefs
from labeling.concepts import ConceptError, Conflict
from labeling.concepts.edits import forget_predictions, lock
from labeling.models import (
    Answer,
    Challenge,
    ClassSet,
    Concept,
    ConceptExample,
    Event,
    GoldMark,
    Image,
    ImportStatement,
    Question,
    Recomputation,
)
from labeling.models.examples import EXAMPLES_MAX
from labeling.models.projects import movable
from labeling.numbers import count

AT_ONCE = 1_000  # questions that are moved while somebody waits
ATTEMPTS = 3  # at a batch, while somebody asks the survivor's questions about the same tiles

Reason = Question.Reason
_DECIDED = "verdict", "decided_by", "state", "answers_wanted"

# Nominations that nobody has used become implicit again; a cut picture as a whole or not at all.
_DROP_UNUSED = """
WITH unused AS (
    SELECT q.id, q.grid, tile.image_id FROM labeling_question AS q
    JOIN labeling_tile AS tile ON tile.id = q.tile_id
    WHERE q.concept_id = %s AND q.kind = 'concept' AND q.source <> 'model'
        AND q.reason IN ('random', 'doubtful', 'likely')
        AND q.stated IS NULL AND q.verdict IS NULL AND q.answers_wanted = 0
        AND NOT EXISTS (SELECT FROM labeling_answer WHERE question_id = q.id)
    FOR UPDATE OF q SKIP LOCKED
), whole AS (
    SELECT grid, image_id FROM unused GROUP BY grid, image_id HAVING count(*) = grid * grid
)
DELETE FROM labeling_question
WHERE id IN (SELECT unused.id FROM unused JOIN whole USING (grid, image_id))
"""

# What class sets state of the survivor by now becomes the base of its stored questions; their
# priors follow once they are brought up to date.
_OF_OTHER_CLASSES = beliefs.of_other_classes_sql(
    confidence="image.import_confidence", classes="cardinality(classes.concepts)"
)
_STATE_OTHER_CLASSES = f"""
WITH silent AS (
    SELECT q.id, {_OF_OTHER_CLASSES} AS stated
    FROM labeling_question AS q
    JOIN labeling_tile AS tile ON tile.id = q.tile_id
    JOIN labeling_image AS image ON image.id = tile.image_id
    JOIN labeling_classset AS classes ON classes.id = image.class_set_id
    WHERE q.concept_id = %(concept)s AND q.kind = 'concept' AND q.grid = 1 AND q.stated IS NULL
        AND NOT image.generated AND classes.concepts @> ARRAY[%(concept)s]::bigint[]
    ORDER BY q.id FOR NO KEY UPDATE OF q
)
UPDATE labeling_question AS q SET stated = silent.stated FROM silent WHERE q.id = silent.id
"""

# An answer moves unless its annotator has answered the survivor's question, too.
_MOVE_ANSWERS = """
UPDATE labeling_answer AS answer SET question_id = twin.survivor
FROM unnest(%s::bigint[], %s::bigint[]) AS twin(merged, survivor)
WHERE answer.question_id = twin.merged AND NOT EXISTS (
    SELECT FROM labeling_answer AS other
    WHERE other.question_id = twin.survivor AND other.annotator_id = answer.annotator_id
)
"""


class Counts(NamedTuple):
    """What was moved: questions and answers; and answers that were kept beside."""

    questions: int = 0
    answers: int = 0
    kept: int = 0

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


@dataclass(frozen=True)
class Merged:
    """What a merge has moved, and how many questions it leaves to a worker."""

    concept: Concept
    into: Concept
    counts: Counts
    left: int

    def __str__(self) -> str:
        counts = self.counts
        moved = (
            f"Merged “{self.concept}” into “{self.into}”: {count(counts.questions, 'question')}, "
            f"{count(counts.answers, 'answer')} moved, {counts.kept:,} kept beside."
        )
        if not self.left:
            return moved
        verb = "follows" if self.left == 1 else "follow"
        return f"{moved} {count(self.left, 'more question')} {verb} within minutes."


def merge(*, concept: Concept, into: Concept, by: User) -> Merged:
    """Merge a concept into another one of its project.

    - Its questions become those of `into`. Where a tile has both, its answers move to the other
      question, but for those of annotators who answered that too: theirs are kept beside, with the
      merged concept's question. A verdict of `into` comes before one of the merged concept.
    - Its name and aliases become aliases of `into`, what keywords state by them is taken over, and
      class sets that hold it hold `into`. Predictions of `into` stay, its own are deleted.
    - Its definition, its phrases in other languages and its examples become those of `into` where
      that has none: no definition, no phrase in that language, the picture no example, and room.
    - Its pending challenges expire, and its row stays, inactive.

    Raises ConceptError.
    """
    with transaction.atomic():
        concept, into = _take_over_names(concept, into)
        _take_over_guide(concept, into)
        GoldMark.objects.filter(concept=concept).update(concept=into)
        _expire_challenges(concept)
    counts, left = move(concept, limit=AT_ONCE)
    merged = Merged(concept, into, counts, left)
    concepts.take_over(into, limit=concepts.AT_ONCE)
    with transaction.atomic():
        audit.record(
            project=concept.project, kind=Event.Kind.CONCEPT, message=str(merged), by=by, row=into
        )
        audit.log([concept], by=by, message=str(merged))
    return merged


def move(concept: Concept, *, limit: int | None = None) -> tuple[Counts, int]:
    """Move up to so many questions of a merged concept; return what was moved, and how many wait.

    Each answer is counted before and after its batch.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DROP_UNUSED, [concept.pk])
    waiting = Question.objects.filter(concept=concept).exclude(reason=Reason.MERGED)
    ids = list(waiting.order_by("pk").values_list("pk", flat=True))
    chosen = ids[:limit]
    counts = Counts()
    for batch in batched(chosen, question_state.BATCH):
        counts = counts.plus(_move_batch(concept.pk, batch))
    Recomputation.objects.filter(project=concept.project_id).update(requested=True)
    return counts, len(ids) - len(chosen)


def finish(concept: Concept) -> Counts:
    """Move all that is left of a merged concept, and note that it is done."""
    counts, _ = move(concept)
    Concept.objects.filter(pk=concept.pk).update(unfinished_from=None)
    return counts


def _take_over_names(concept: Concept, into: Concept) -> tuple[Concept, Concept]:
    """Mark the concept as merged, and give its names to the survivor; return both as stored."""
    if concept.pk == into.pk:
        raise ConceptError(f"“{concept}” cannot be merged into itself: choose another concept.")
    if concept.project_id != into.project_id:
        raise ConceptError(
            f"“{concept}” and “{into}” are of different projects: nothing is merged."
        )
    lock(concept.project)
    class_sets = _lock_class_sets(concept)  # before the concepts, as an import does
    rows = Concept.objects.select_for_update(no_key=True).filter(
        Q(pk__in=[concept.pk, into.pk]) | Q(merged_into=concept.pk)
    )
    locked = {row.pk: row for row in rows.order_by("pk")}
    for row in (concept, into):
        if row.pk not in locked:
            raise Conflict(f"“{row}” is gone: nothing is merged.")
        if survivor := locked[row.pk].merged_into:
            raise Conflict(f"“{row}” was merged into “{survivor}”: choose that one.")
    project = concept.project
    concept, into = locked[concept.pk], locked[into.pk]
    concept.project = into.project = project
    into.aliases = concepts.names.clean_aliases(
        [*into.aliases, concept.name, *concept.aliases], name=into.name
    )
    into.unfinished_from, into.known_when_fitted = 0, 0
    into.priors_stale = True  # as class sets may state more of it
    into.definition = into.definition or concept.definition
    into.version += 1
    into.save(
        update_fields=[
            "aliases",
            "unfinished_from",
            "known_when_fitted",
            "priors_stale",
            "definition",
            "version",
        ]
    )
    concept.merged_into, concept.active, concept.aliases = into, False, []
    concept.unfinished_from = 0
    concept.version += 1
    forget_predictions(concept)
    concept.save()
    concept.merged.update(merged_into=into)
    _replace_in_class_sets(class_sets, concept, into)
    pools.forget_priorities(project)
    return concept, into


def _take_over_guide(concept: Concept, into: Concept) -> None:
    """Give a survivor the phrases and examples that it lacks; the others stay as a record."""
    taken = into.phrases.values("language")
    concept.phrases.exclude(language__in=taken).update(concept=into)
    room = EXAMPLES_MAX - into.examples.count()
    others = concept.examples.exclude(tile__in=into.examples.values("tile")).order_by("pk")
    moved = others.values_list("pk", flat=True)[: max(room, 0)]
    ConceptExample.objects.filter(pk__in=list(moved)).update(concept=into)
    guides.forget(into)


def _lock_class_sets(concept: Concept) -> list[ClassSet]:
    """Return the class sets that hold the concept, once no import is storing images of them."""
    sets = ClassSet.objects.filter(concepts__contains=[concept.pk])
    return list(sets.order_by("pk").select_for_update())


def _replace_in_class_sets(class_sets: Iterable[ClassSet], concept: Concept, into: Concept) -> None:
    """Let the class sets that hold the concept hold the survivor; equal sets become one.

    One that held both holds it twice: what its number of classes says of the others stays true.
    """
    sets = ClassSet.objects.filter(project=concept.project_id)
    for class_set in class_sets:
        classes = sorted(into.pk if pk == concept.pk else pk for pk in class_set.concepts)
        if same := sets.filter(concepts=classes).first():
            for model in (Image, ImportStatement):
                model._default_manager.filter(class_set=class_set).update(class_set=same)
            class_set.delete()
        else:
            class_set.concepts = classes
            class_set.save()
    if class_sets:
        values = {"concept": into.pk}
        with connection.cursor() as cursor:
            cursor.execute(_STATE_OTHER_CLASSES, values)


def _expire_challenges(concept: Concept) -> None:
    """Expire pending challenges; an answer that is being recorded is waited for."""
    now = timezone.now()
    pending = Challenge.objects.filter(concept=concept, answered_at=None, expires_at__gt=now)
    pending.update(expires_at=now)


def _move_batch(pk: int, ids: Sequence[int]) -> Counts:
    """Move a batch in a transaction; again where somebody asked the same of the survivor."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return _Batch(pk, ids).move()
        except IntegrityError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


class _Batch:
    """Locked questions of a merged concept, and the survivor's about the same tiles."""

    def __init__(self, pk: int, ids: Sequence[int]) -> None:
        self.survivor = _lock_survivor(pk)
        tiles = Question.objects.filter(pk__in=ids).values("tile")
        twins = Question.objects.filter(concept=self.survivor, tile__in=tiles)
        twin_ids = set(twins.values_list("pk", flat=True))
        locked = question_state.lock([*ids, *twin_ids])
        by_tile = {q.tile_id: q for q in locked if q.pk in twin_ids}
        own = [q for q in locked if q.pk not in twin_ids and q.concept_id == pk]
        self.alone = [q for q in own if q.tile_id not in by_tile]
        self.twins = {q.pk: (q, by_tile[q.tile_id]) for q in own if q.tile_id in by_tile}

    def move(self) -> Counts:
        """Move the answers and questions. Raises RuntimeError where answers do not add up."""
        before = self._answers()
        moved = sum(before[q.pk] for q in self.alone) + self._move_answers()
        after = self._answers()
        if sum(after.values()) != sum(before.values()):
            raise RuntimeError(f"{sum(before.values())} answers became {sum(after.values())}.")
        kept = sum(after[pk] for pk in self.twins)
        self._move_alone()
        records = self._keep_records(after)
        self._recompute(records)
        return Counts(len(self.alone) + len(self.twins), moved, kept)

    def _answers(self) -> Mapping[int, int]:
        """Count the answers to each question."""
        ids = [q.pk for q in self.alone] + [q.pk for pair in self.twins.values() for q in pair]
        counts: dict[int, int] = defaultdict(int)
        for pk in Answer.objects.filter(question__in=ids).values_list("question_id", flat=True):
            counts[pk] += 1
        return counts

    def _move_answers(self) -> int:
        survivors = [survivor.pk for _, survivor in self.twins.values()]
        with connection.cursor() as cursor:
            cursor.execute(_MOVE_ANSWERS, [list(self.twins), survivors])
            return int(cursor.rowcount)

    def _move_alone(self) -> None:
        """Let the questions without a twin be about the survivor."""
        rows = Question.objects.filter(pk__in=[q.pk for q in self.alone])
        rows.filter(reason=Reason.RANDOM).update(reason=Reason.ANSWERED)
        rows.update(concept=self.survivor, slice_key=None, reservations=[])
        for question in self.alone:
            question.concept = self.survivor

    def _keep_records(self, answers: Mapping[int, int]) -> list[Question]:
        """Give verdicts and statements to the twins; return the questions that stay as records.

        Those have answers or a verdict of their own, or are about a generated picture.
        """
        records = []
        for question, survivor in self.twins.values():
            _hand_over(question, survivor)
            own_verdict = question.verdict not in (None, survivor.verdict)
            generated = question.source == Question.Source.MODEL
            if answers[question.pk] or own_verdict or generated:
                records.append(question)
        kept = [q.pk for q in records]
        Question.objects.filter(pk__in=self.twins.keys() - set(kept)).delete()
        rows = Question.objects.filter(pk__in=kept)
        rows.update(reason=Reason.MERGED, slice_key=None, reservations=[])
        return records

    def _recompute(self, records: Collection[Question]) -> None:
        """Set priors by what is believed of the survivor, and recompute from the answers."""
        own = [*self.alone, *(survivor for _, survivor in self.twins.values())]
        _set_priors(own, self.survivor)
        changed = [*own, *records]
        question_posteriors.recompute_locked(changed)
        bulk_update.update(changed, _DECIDED)
        question_state.save(changed)


def _lock_survivor(pk: int) -> Concept:
    """Return the concept that took over the one with this id; both stay as they are meanwhile.

    So no question is moved with a prior that has changed since.
    """
    both = Q(pk=pk) | Q(pk__in=Concept.objects.filter(pk=pk).values("merged_into"))
    rows = Concept.objects.filter(both).select_for_update(no_key=True, of=("self",))
    locked = {row.pk: row for row in rows.select_related("project").order_by("pk")}
    merged_into = locked[pk].merged_into_id
    assert merged_into is not None
    if merged_into not in locked:  # it was merged itself meanwhile
        raise IntegrityError(f"The concept {pk} is merged into {merged_into} now.")
    return locked[merged_into]


def _hand_over(question: Question, survivor: Question) -> None:
    """Let the survivor's question have what it lacks: the verdict, and what an import stated."""
    if survivor.verdict is None and question.verdict is not None:
        survivor.verdict, survivor.decided_by_id = question.verdict, question.decided_by_id
        if question.state == Question.State.GOLD:
            survivor.state = question.state
    survivor.answers_wanted = max(survivor.answers_wanted, question.answers_wanted)
    stated = [each.stated for each in (question, survivor) if each.stated is not None]
    survivor.stated = max(stated, default=None)


def _set_priors(own: Sequence[Question], concept: Concept) -> None:
    """Set the priors of locked questions, to be saved, as those of implicit pairs are set."""
    facts = beliefs.facts({question.tile_id for question in own})
    priors = Beliefs(concept.project, [concept]).priors(facts)
    rows = {tile.tile: row for row, tile in enumerate(facts)}
    for question in own:
        row = rows[question.tile_id]
        imported, predicted = float(priors.stated[row, 0]), float(priors.predicted[row, 0])
        stated = [p for p in (question.stated, imported) if p is not None and p == p]
        question.stated = movable(max(stated)) if stated else None
        question.model_probability = predicted if predicted == predicted else None
        question.prior_shift = float(priors.shift[row, 0])
        base = concept.prevalence if question.stated is None else question.stated
        question.prior = online.probability(online.log_odds(base) + question.prior_shift)

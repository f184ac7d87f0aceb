"""Move questions of a merged concept, with their answers, a batch in a transaction."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction
from django.db.models import Q

from labeling import beliefs, bulk_update, question_posteriors, question_state
from labeling.aggregation import online
from labeling.beliefs import Beliefs
from labeling.models import Answer, Concept, Question
from labeling.models.projects import movable

ATTEMPTS = 3  # at a batch, while somebody asks the survivor's questions about the same tiles
Reason = Question.Reason
_DECIDED = "verdict", "decided_by", "state", "answers_wanted"
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


def move_batch(pk: int, ids: Sequence[int]) -> Counts:
    """Move a batch in a transaction; again where somebody asked the same of the survivor."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with transaction.atomic():
                return Batch(pk, ids).move()
        except IntegrityError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


class Batch:
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
        question.exclusion_shift = float(priors.exclusion.shift[row, 0])
        question.excluded = bool(priors.exclusion.excluded[row, 0])
        shift = question.prior_shift + question.exclusion_shift
        question.prior = online.probability(online.log_odds(base) + shift)

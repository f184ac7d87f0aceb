"""Why labels that bots turned are not repaired: told for each by `repair_under_load`."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from labeling import evidence
from labeling.aggregation import earnest
from labeling.aggregation.online import ConfusionCounts
from labeling.inference import recompute
from labeling.models import Project, Question, Recomputation
from labeling.models.answers import COUNTED, TRUSTED

TOLD = 12  # labels, one by one
ANSWERS = f"""
SELECT question_id, answer.annotator_id, value, answer.weight, {TRUSTED},
    true_positives, false_negatives, true_negatives, false_positives
FROM labeling_answer AS answer JOIN labeling_annotator AS annotator ON annotator.id = annotator_id
WHERE question_id = ANY(%s) AND {COUNTED}
"""


@dataclass(frozen=True)
class _Answer:
    value: bool
    of_bot: bool
    trusted: bool  # whether it is outside all suspect spells
    weight: float  # of its challenge, times the trust in its annotator


class Diagnosis:
    """What was believed of a project's labels, and what one more recomputation makes of them."""

    def __init__(self, project: Project, questions: Collection[int], bots: Collection[int]) -> None:
        """Nobody should answer meanwhile."""
        self._before = _states(questions)
        self._answers = _answers(project, questions, set(bots))
        row = Recomputation.objects.get(project=project)
        project.refresh_from_db()
        self._newest = _newest(bots)
        self._complete = project.aggregated_to >= self._newest
        ended = row.finished_at or row.started_at
        self._seconds = (timezone.now() - ended).total_seconds() if ended else float("nan")
        while recompute.run(project=project) is None:
            pass
        self._after = _states(questions)

    def tell(self, labels: Mapping[int, bool]) -> str:
        """Return Markdown about damaged labels, which are given with what they say."""
        repaired = [pk for pk, label in labels.items() if self._is_repaired(pk, label)]
        resting = [pk for pk in labels if any(a.of_bot and a.trusted for a in self._answers[pk])]
        lines = [
            f"{len(labels)} labels left; the last recomputation ended {self._seconds:.0f} s before "
            f"and knew {'all' if self._complete else 'not all'} answers of bots; one more "
            f"repairs {len(repaired)}; on {len(resting)} answers of bots are believed.\n"
        ]
        for pk, label in list(labels.items())[:TOLD]:
            prior, probability, _ = self._before[pk]
            lines.append(
                f"- {pk}: {'yes' if label else 'no'}, which is wrong, at {probability:.3f} (prior "
                f"{prior:.3f}); bots say {self._said(pk, of_bot=True)}; people "
                f"{self._said(pk, of_bot=False)}; "
                f"{'repaired' if pk in repaired else 'not repaired'} by one more recomputation"
            )
        return "\n".join(lines)

    def _is_repaired(self, pk: int, label: bool) -> bool:
        _, probability, state = self._after[pk]
        return state != Question.State.SETTLED or (probability >= 0.5) != label

    def _said(self, pk: int, *, of_bot: bool) -> str:
        answers = [each for each in self._answers[pk] if each.of_bot == of_bot]
        said = [
            f"{'yes' if each.value else 'no'} ({each.weight if each.trusted else 0:.2f})"
            for each in answers
        ]
        return ", ".join(said) or "nothing"


def _states(questions: Collection[int]) -> dict[int, tuple[float, float, str]]:
    rows = Question.objects.filter(pk__in=questions)
    return {pk: tuple(row) for pk, *row in rows.values_list("pk", "prior", "probability", "state")}  # type: ignore[misc]


def _answers(
    project: Project, questions: Collection[int], bots: set[int]
) -> dict[int, list[_Answer]]:
    with connection.cursor() as cursor:
        cursor.execute(ANSWERS, [list(questions)])
        rows = cursor.fetchall()
    priors = evidence.earnest_priors({row[1] for row in rows}, project)
    found = defaultdict(list)
    for question, annotator, value, weight, trusted, *counts in rows:
        trust = earnest.trust(ConfusionCounts(*counts), value, priors[annotator])
        found[question].append(_Answer(value, annotator in bots, trusted, weight * trust))
    return found


def _newest(bots: Collection[int]) -> int:
    with connection.cursor() as cursor:
        query = "SELECT coalesce(max(id), 0) FROM labeling_answer WHERE annotator_id = ANY(%s)"
        cursor.execute(query, [list(bots)])
        return int(cursor.fetchone()[0])

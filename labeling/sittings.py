"""A sitting: what somebody answered in one go, without a long pause, and what came of it.

It is derived from the answers that are there, so that what was taken back counts no more and nobody
needs storage or an account for it. Whether others agree is shown of those questions alone of which
`labeling.results` may tell; how often a label became certain is counted by the browser from what
the answers said (`answers.Outcome`), in which gold counts like all others.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from labeling import drawings, guides, milestones, results
from labeling.drawings import Drawing
from labeling.milestones import Milestone
from labeling.models import Annotator, Answer, Project, Question
from labeling.results import TileResult

PAUSE = timedelta(minutes=30)  # after which another sitting begins
ANSWERS_MAX = 2_000  # newest ones of a sitting that are looked at
CONCEPTS = 5  # that are named
DRAWINGS = 3


@dataclass(frozen=True)
class ConceptAnswers:
    """How many answers a sitting brought to a concept, and its next milestone."""

    phrase: str  # as the concept is asked about
    language: str  # tag of the phrase
    answers: int
    milestone: Milestone | None


@dataclass(frozen=True)
class Sitting:
    """What somebody answered in a project in one go."""

    answers: int = 0  # captions that were written among them
    seconds: int = 0  # from the first answer to the last
    concepts: Sequence[ConceptAnswers] = ()  # those with most answers first
    agreement: str = ""  # how far others and the model agree, in sentences
    drawings: Sequence[Drawing] = ()  # by a model that learned from earlier answers of theirs


def latest(annotator: Annotator, project: Project, wanted: Sequence[str] = ()) -> Sitting:
    """Return somebody's latest sitting in a project; an empty one where it is over.

    wanted: the languages that concepts are named in, the most wanted first.
    """
    answers = _in_one_go(annotator, project)
    start = answers[-1].created_at if answers else timezone.now() - PAUSE
    written = _captions(annotator, project, start)
    if not answers and not written:
        return Sitting()
    times = [*(answer.created_at for answer in answers), *written]
    return Sitting(
        answers=len(answers) + len(written),
        seconds=round((max(times) - min(times)).total_seconds()),
        concepts=_concepts(answers, project, wanted),
        agreement=_agreement(answers),
        drawings=drawings.after_answers(annotator, project)[:DRAWINGS],
    )


def _in_one_go(annotator: Annotator, project: Project) -> list[Answer]:
    """Return the newest answers, the newest first, up to a long pause."""
    rows = Answer.objects.filter(annotator=annotator, question__project=project)
    rows = rows.select_related("question__concept__project").order_by("-created_at")
    answers: list[Answer] = []
    later = timezone.now()
    for answer in rows[:ANSWERS_MAX]:
        if later - answer.created_at > PAUSE:
            break
        answers.append(answer)
        later = answer.created_at
    return answers


def _captions(annotator: Annotator, project: Project, start: datetime) -> list[datetime]:
    """Return when captions were written since then."""
    rows = Question.objects.filter(author=annotator, project=project, created_at__gte=start)
    return list(rows.order_by().values_list("created_at", flat=True))


def _concepts(
    answers: Sequence[Answer], project: Project, wanted: Sequence[str]
) -> list[ConceptAnswers]:
    counts = Counter(a.question.concept_id for a in answers if a.question.concept)
    nearest = {each.concept: each for each in milestones.of_project(project)}
    return [
        ConceptAnswers(*guides.summary(pk).phrase_for(wanted), count, nearest.get(pk))
        for pk, count in counts.most_common(CONCEPTS)
        if pk is not None
    ]


def _agreement(answers: Sequence[Answer]) -> str:
    """Say how far others and the model agree, about what is shown of answers."""
    by_question = results.of_answers(answers)
    return results.in_words(
        [TileResult(0, answer.value, by_question[answer.question_id]) for answer in answers]
    )

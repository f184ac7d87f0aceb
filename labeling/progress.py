"""How far a project has come: its questions by state, its answers and its annotators."""

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Sum
from django.db.models.functions import Coalesce

from labeling.models import Annotator, Answer, Project, Question


@dataclass(frozen=True)
class Progress:
    """Totals of a project; `open` to `gold` count questions by state."""

    images: int
    questions: int
    open: int
    settled: int
    ambiguous: int
    gold: int
    answers: int  # without those of blocked annotators
    annotators: int


def measure(*, project: Project) -> Progress:
    """Count the questions in each state, the answers, and the people who gave them."""
    by_state = {
        state: (questions, answers)
        for state, questions, answers in Question.objects.filter(project=project)
        .order_by()
        .values_list("state")
        .annotate(count=Count("pk"), given=Coalesce(Sum("answers_count"), 0))
    }
    answered_here = Answer.objects.filter(annotator=OuterRef("pk"), question__project=project)
    states = {str(state): by_state.get(state, (0, 0))[0] for state in Question.State.values}
    return Progress(
        images=project.images.count(),
        questions=sum(states.values()),
        answers=sum(answers for _, answers in by_state.values()),
        annotators=Annotator.objects.filter(Exists(answered_here)).count(),
        **states,
    )

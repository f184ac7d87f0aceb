"""Those who answered in a project, as its reviewers see them, and whom these may block."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, NullIf

from labeling import access, annotators, project_stats, review
from labeling.access import Capability
from labeling.models import Annotator, Answer, Project, Question
from labeling.models.annotators import CAME_HERE
from labeling.permissions import is_staff

COUNTED = 10_000  # answers of one annotator that are counted; beyond, it is said to be more
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

# By annotator: answers in the project, gold ones, right ones, the first and the last time.
_COUNTS = """
SELECT annotator.id, count(answer.id), count(*) FILTER (WHERE gold),
    count(*) FILTER (WHERE gold AND answer.value = answer.verdict),
    min(answer.created_at), max(answer.created_at)
FROM unnest(%s::bigint[]) AS annotator(id) CROSS JOIN LATERAL (
    SELECT answer.id, answer.value, answer.created_at, verdict, state = 'gold' AS gold
    FROM labeling_answer AS answer JOIN labeling_question AS question ON question.id = question_id
    WHERE answer.annotator_id = annotator.id AND question.project_id = %s
    ORDER BY answer.created_at DESC LIMIT %s
) AS answer
GROUP BY annotator.id
"""
Sort = F | CombinedExpression | Coalesce
SORTS: dict[str, Sort] = {  # all of them: the largest first, unless reversed
    "answers": F("answers_count"),
    "reliability": F("reliability"),
    "gold": Coalesce(F("gold_right") * 1.0 / NullIf(F("gold_count"), 0), 0.0),
    "since": F("created_at"),
    "seen": Coalesce(F("seen_at"), EPOCH),
}


class BlockError(ValueError):
    """An annotator is not blocked or unblocked; the message says why, and what to do."""


@dataclass(frozen=True)
class Row:
    """An annotator, with what they did in one project."""

    annotator: Annotator
    answers: int  # in the project; COUNTED + 1 stands for more than COUNTED
    gold: int  # questions of the project, gold now, that they answered
    gold_right: int
    first_at: datetime | None
    last_at: datetime | None

    @property
    def more(self) -> bool:
        """Whether there are more answers than are counted."""
        return self.answers > COUNTED


def listing(
    project: Project,
    *,
    sort: str = "answers",
    ascending: bool = False,
    name: str = "",
    only: str = "",
) -> QuerySet[Annotator]:
    """Return those who answered in a project, in order, each with what they are sorted by: `key`.

    name: how their user name or pseudonym begins. only: "suspect", "blocked", "visitors" of the
    project's sites, who are left out otherwise, or empty.
    """
    came = Q(site__project=project) if only == "visitors" else CAME_HERE
    rows = Annotator.objects.filter(came, _answered_in(project)).select_related("user", "site")
    if name:
        rows = rows.filter(Q(pseudonym__startswith=name) | Q(user__username__startswith=name))
    if only == "blocked":
        rows = rows.filter(blocked=True)
    elif only == "suspect":
        rows = rows.filter(pk__in=[each.pk for each in annotators.to_review(project=project)])
    rows = rows.annotate(key=SORTS[sort])
    return rows.order_by("key" if ascending else "-key", "pk")


def after(
    rows: QuerySet[Annotator], key: object, pk: int, *, ascending: bool = False
) -> QuerySet[Annotator]:
    """Return the rows of a listing that come after one with this key and id."""
    beyond = Q(key__gt=key) if ascending else Q(key__lt=key)
    return rows.filter(beyond | Q(key=key, pk__gt=pk))


def with_counts(rows: list[Annotator], project: Project) -> list[Row]:
    """Return each with what they did in the project, by one query."""
    with connection.cursor() as cursor:
        ids = [annotator.pk for annotator in rows]
        cursor.execute(_COUNTS, [ids, project.pk, COUNTED + 1])
        counts = {pk: values for pk, *values in cursor}
    return [Row(annotator, *counts.get(annotator.pk, (0, 0, 0, None, None))) for annotator in rows]


def find(project: Project, pk: int) -> Annotator | None:
    """Return an annotator who answered in the project, or wrote a caption."""
    wrote = Exists(Question.objects.filter(author=OuterRef("pk"), project=project))
    took_part = _answered_in(project) | wrote
    rows = Annotator.objects.filter(took_part).select_related("user", "site")
    return rows.filter(pk=pk).first()


def refusal(*, project: Project, annotator: Annotator, by: User) -> str:
    """Say why somebody may not block or unblock an annotator; empty where they may.

    Blocking counts in all projects. So a reviewer may block whoever answered, or wrote captions, in
    their own projects only; about all others decide staff, by Django's permission.
    """
    if is_staff(by) and by.has_perm("labeling.change_annotator"):
        return ""
    if not access.may(by, project, Capability.REVIEW):
        return "Only reviewers and owners block annotators."
    answers = Answer.objects.filter(annotator=annotator)
    captions = Question.objects.filter(author=annotator)
    there = answers.filter(question__project=project).exists()
    if not (there or captions.filter(project=project).exists()):
        return "They have not answered in this project."
    own = access.projects(by, Capability.REVIEW).values("pk")
    elsewhere = answers.exclude(question__project__in=own).exists()
    if elsewhere or captions.exclude(project__in=own).exists():
        return (
            "They answered in projects of others too, and blocking counts everywhere: "
            "ask the staff of this site to decide."
        )
    return ""


def set_blocked(*, project: Project, annotator: Annotator, blocked: bool, by: User) -> int:
    """Block or unblock an annotator everywhere; return how many labels or states changed.

    Raises PermissionDenied, and BlockError where they answered in projects of others too.
    """
    reason = refusal(project=project, annotator=annotator, by=by)
    if reason and not access.may(by, project, Capability.REVIEW):
        raise PermissionDenied(reason)
    if reason:
        raise BlockError(reason)
    changed = (review.block if blocked else review.unblock)(annotator=annotator, by=by)
    project_stats.forget_all()
    return changed


def _answered_in(project: Project) -> Exists:
    return Exists(Answer.objects.filter(annotator=OuterRef("pk"), question__project=project))

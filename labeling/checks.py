"""Checks: settled questions that stand in for gold.

A project with little gold, and an address that was shown all of it today, is checked by questions
that people have settled: several who are trusted, all of one mind, certain, without a flag, and
never reopened. Nobody can tell them from open ones. An answer is judged by what people believe
(`Question.known_probability`) and counts like any other; so a question on which good people
disagree is a check no more, and opens again.
"""

from collections.abc import Iterable

from django.core.cache import cache
from django.utils.crypto import salted_hmac

from labeling.models import Answer, Comment, Project, Question
from labeling.models.answers import TRUSTED

TRUSTED_ANSWERS = 2  # at least
GOLD_SECONDS, NO_GOLD_SECONDS = 3600, 60  # for which it is remembered whether there is gold
REVEALED_SHARE = 0.08  # of all questions, of which something is revealed to those who answered

# Of settled captions: text questions show these as true, and the others check people. SQL.
MAY_BE_TOLD = "random_key < 0.5"

_FLAGS = ", ".join(f"'{flag}'" for flag in sorted(Comment.FLAGS))
# As in the indexes `question_check_yes` and `question_check_no`.
_UNANIMOUS = (
    "state = 'settled' AND verdict IS NULL AND disagreement = 0 AND answers_wanted = 0 "
    "AND answers_count >= 2"
)


def settled_as(verdict: bool) -> str:
    """Return SQL: the condition of questions that are settled as yes, or as no, beyond doubt."""
    certain = "probability >= 0.95" if verdict else "probability <= 0.05"
    return f"{certain} AND {_UNANIMOUS}"


def flagged(question: str) -> str:
    """Return SQL: whether somebody flagged the tile of a question; `question` is the row's name."""
    return f"""EXISTS (
            SELECT FROM labeling_comment AS flag WHERE flag.tile_id = {question}.tile_id
                AND flag.resolved_at IS NULL AND flag.kind IN ({_FLAGS})
        )"""


def trusted(question: str) -> str:
    """Return SQL: whether a settled question may check somebody, beside `settled_as`.

    Enough trusted people answered it, and no more than any question is answered at most; and nobody
    has flagged its tile. `question` is the row's name; of the parameters, `answers_cap` is read.
    """
    return f"""{question}.answers_count < %(answers_cap)s AND NOT {flagged(question)}
        AND {TRUSTED_ANSWERS} <= (
            SELECT count(*) FROM labeling_answer AS answer
            JOIN labeling_annotator AS annotator ON annotator.id = answer.annotator_id
            WHERE answer.question_id = {question}.id AND {TRUSTED}
        )"""


def has_gold(project: Project) -> bool:
    """Whether a project has gold pictures to check people by; remembered for a while."""
    key = f"has-gold:{project.pk}"
    remembered: bool | None = cache.get(key)
    if remembered is None:
        rows = Question.objects.filter(concept__in=project.concepts.order_by())
        gold = rows.filter(kind=Question.Kind.CONCEPT, state=Question.State.GOLD)
        remembered = gold.exclude(source=Question.Source.MODEL).order_by().exists()
        cache.set(key, remembered, GOLD_SECONDS if remembered else NO_GOLD_SECONDS)
    return remembered


def is_revealed(question: int) -> bool:
    """Whether something of a question is revealed to who answered it: then it checks nobody.

    It is drawn once for each question by a secret hash. Of gold nothing is (`labeling.results`).
    """
    digest = salted_hmac("labeling.checks", str(question), algorithm="sha256").digest()
    return int.from_bytes(digest[:8]) < REVEALED_SHARE * 2**64


def in_use(answers: Iterable[Answer]) -> set[int]:
    """Return the ids of the questions that check people: gold, and what was asked as a check.

    answers: one person's, with their questions.
    """
    return {answer.question_id for answer in answers if is_check(answer)}


def is_check(answer: Answer) -> bool:
    """Whether an answer, with its question, checks its author: it is about gold, or a check."""
    return answer.question.state == Question.State.GOLD or answer.reason == Answer.Reason.CHECK

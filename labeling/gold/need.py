"""How much gold a concept needs, and why: derived from what gold is used for."""

import math
from collections import Counter
from dataclasses import dataclass

from django.db.models import Count

from labeling.aggregation import online
from labeling.aggregation.online import PRIOR_RIGHT, PRIOR_WRONG, ConfusionCounts
from labeling.images import visible
from labeling.models import Concept, Image, Project, Question
from labeling.numbers import count

GRID_GOLD = 3  # known tiles of a grid of nine, in the mean (`labeling.selection.known`)
PRECISION = 0.1  # half the width of the interval of a reliability that is wanted
SCREENS = 12  # of a busy annotator's sitting
SCREEN_SECONDS = 20  # that a grid takes
LARGEST_SHARE = 3  # one picture in so many is gold of a concept at most
LEAST = 2  # of each truth, however few pictures there are
PARTS_PICTURES = 4  # whose parts are to be gold: splits show one of them now and then


@dataclass(frozen=True)
class Need:
    """How much gold of one concept is wanted in all."""

    yes: int
    no: int

    @property
    def total(self) -> int:
        return self.yes + self.no


@dataclass(frozen=True)
class Progress:
    """How much gold a concept has and wants, on whole pictures; and how much on parts."""

    concept: Concept
    yes: int
    no: int
    need: Need
    why: str  # a sentence
    parts_yes: int = 0
    parts_no: int = 0
    parts_pictures: int = 0
    parts_why: str = ""  # a sentence, where pictures are cut

    @property
    def gold(self) -> int:
        return self.yes + self.no

    @property
    def missing_yes(self) -> int:
        return max(self.need.yes - self.yes, 0)

    @property
    def missing_no(self) -> int:
        return max(self.need.no - self.no, 0)

    @property
    def missing(self) -> int:
        return self.missing_yes + self.missing_no


def precision(yes: int, no: int) -> float:
    """Return half the width of the 90 % interval of a reliability, after so much gold.

    Of somebody who is right as often as the prior expects, r = .85, and has answered `yes` gold
    questions whose truth is yes and `no` whose truth is no. Sensitivity and specificity are Beta
    distributed, each with a prior worth n₀ = 10 answers, and reliability is their mean, so nearly

        1.645 · √(r (1 - r) · (1 / (yes + n₀ + 1) + 1 / (no + n₀ + 1))) / 2

    (`labeling.aggregation.online.reliability`).
    """
    right = PRIOR_RIGHT / (PRIOR_RIGHT + PRIOR_WRONG)
    counts = ConfusionCounts(right * yes, (1 - right) * yes, right * no, (1 - right) * no)
    _, low, high = online.reliability(counts)
    return (high - low) / 2


def need(*, pictures: int, concepts: int, practice: int) -> Need:
    """Return how much gold a concept wants, half of it yes and half no.

    1. The interval: so many of each truth that a reliability is known to ± PRECISION.
    2. The grids: each shows GRID_GOLD known tiles in the mean, and nobody is asked the same
       question twice; nor, as a rule, is anybody else at their address on that day. The SCREENS
       grids of a sitting are spread over the project's concepts; the gold of one is to last for its
       share: GRID_GOLD · SCREENS / concepts. After it, settled questions check people.
    3. The practice: questions whose answers people were told can check them no more: so many are
       added to the larger one of both.

    No more than one picture in LARGEST_SHARE: what is gold is no label that people have found.
    pictures: that may be asked about. concepts: that are asked about. practice: the questions with
    feedback before an annotator's first.
    """
    if not pictures:
        return Need(0, 0)
    share = max(pictures // LARGEST_SHARE, 2 * LEAST)
    half = math.ceil(min(_of_many(concepts, practice), share) / 2)
    return Need(half, half)


def _of_many(concepts: int, practice: int) -> int:
    """Return how much gold a concept wants where there are many pictures."""
    each = next(n for n in range(1_000) if precision(n, n) <= PRECISION)
    grids = math.ceil(GRID_GOLD * SCREENS / max(concepts, 1))
    return max(2 * each, grids) + practice


def screens(gold: int) -> int:
    """Return for how many grids so much gold lasts."""
    return gold // GRID_GOLD


def why(*, yes: int, no: int, need: Need) -> str:
    """Return in a sentence how much gold is missing, and why it is wanted."""
    missing_yes, missing_no = max(need.yes - yes, 0), max(need.no - no, 0)
    if not need.total:
        return "None: no picture is asked about as a whole."
    if not missing_yes + missing_no:
        return f"Enough: {_reach(yes, no)}."
    lacking = f"{missing_yes + missing_no} more ({missing_yes} yes, {missing_no} no)"
    if not yes + no:
        return f"{lacking}: without gold nothing shows who can tell yes from no."
    if not yes:
        return f"{lacking}: without a picture that shows it, always answering no looks right."
    if not no:
        return f"{lacking}: without a picture that lacks it, always answering yes looks right."
    return f"{lacking}: {_reach(yes, no)}."


def progress(project: Project) -> list[Progress]:
    """Return for each concept that is asked about how much gold it has and wants, and why."""
    concepts = list(project.concepts.filter(active=True, merged_into=None))
    pictures = Image.objects.filter(visible(), project=project, generated=False).order_by()
    cut = pictures.filter(cut_into__gt=0)[:PARTS_PICTURES].count()
    enough = LARGEST_SHARE * _of_many(len(concepts), project.practice_questions)
    wanted = need(
        pictures=pictures.filter(cut_into=0)[:enough].count(),  # more of them change nothing
        concepts=len(concepts),
        practice=project.practice_questions,
    )
    counts = _counts(project)
    of_parts = _pictures_with_parts(project) if cut else {}
    return [
        _progress(concept, wanted, counts, cut=cut, pictures=of_parts.get(concept.pk, 0))
        for concept in concepts
    ]


def _progress(
    concept: Concept,
    wanted: Need,
    counts: Counter[tuple[int, bool, bool]],
    *,
    cut: int,
    pictures: int,
) -> Progress:
    yes, no = (counts[concept.pk, False, truth] for truth in (True, False))
    parts_yes, parts_no = (counts[concept.pk, True, truth] for truth in (True, False))
    return Progress(
        concept=concept,
        yes=yes,
        no=no,
        need=wanted,
        why=why(yes=yes, no=no, need=wanted),
        parts_yes=parts_yes,
        parts_no=parts_no,
        parts_pictures=pictures,
        parts_why=_parts_why(pictures, parts_yes, cut) if cut else "",
    )


def _counts(project: Project) -> Counter[tuple[int, bool, bool]]:
    """Return the gold questions by (concept, whether of a part, truth)."""
    gold = Question.objects.filter(
        project=project, kind=Question.Kind.CONCEPT, state=Question.State.GOLD
    ).exclude(source=Question.Source.MODEL)
    counts: Counter[tuple[int, bool, bool]] = Counter()
    rows = gold.order_by().values_list("concept", "grid", "verdict").annotate(n=Count("pk"))
    for concept, grid, verdict, number in rows:
        counts[concept, grid > 1, verdict] += number
    return counts


def _pictures_with_parts(project: Project) -> dict[int, int]:
    """Return by concept how many pictures have parts that are gold."""
    gold = Question.objects.filter(
        project=project, kind=Question.Kind.CONCEPT, state=Question.State.GOLD, grid__gt=1
    )
    counted = gold.order_by().values_list("concept").annotate(n=Count("tile__image", distinct=True))
    return {concept: number for concept, number in counted if concept is not None}


def _reach(yes: int, no: int) -> str:
    """Return how far so much gold goes."""
    lasting = screens(yes + no)
    minutes = max(round(lasting * SCREEN_SECONDS / 60), 1)
    return (
        f"a busy annotator, and their network on that day, has seen all {yes + no} after "
        f"{count(lasting, 'screen')}, {count(minutes, 'minute')}; their reliability is then known "
        f"to ± {precision(yes, no):.2f}, and settled questions check them from then on"
    )


def _parts_why(pictures: int, yes: int, wanted: int) -> str:
    """Return in a sentence whether parts need gold."""
    missing = max(wanted - pictures, 0)
    if missing:
        return (
            f"Draw on {count(missing, 'more picture' if pictures else 'picture')}: without gold "
            "parts nobody who answers by parts is checked."
        )
    if not yes:
        return "Draw where it is seen: a part that shows it is still missing."
    return f"Enough: {count(pictures, 'picture')} with gold parts."

"""What the first page shows of each project that somebody may take part in."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import BooleanField, ExpressionWrapper, F, Q

from labeling import drawings, milestones, progress, project_stats, showcase, taking_part
from labeling.drawings import Drawing
from labeling.milestones import Milestone, Training
from labeling.models import Annotator, Import, Project
from labeling.progress import Totals

MILESTONES = 2  # of a project
CARD_PICTURES = 5
WALL = 9  # pictures of all projects
DRAWINGS = 4  # of all projects
PROJECTS_WITH_MORE = 12  # whose pictures and milestones are looked up
TOTALS_SECONDS = 300  # for which they are kept: one answer moves nothing at once


@dataclass(frozen=True)
class Picture:
    """A picture of a project: the number by which its address names it."""

    project: Project
    number: int


@dataclass(frozen=True)
class Card:
    """A project as the first page shows it."""

    project: Project
    totals: Totals
    asks: bool  # whether it has a question for whoever looks at the page
    pictures: Sequence[Picture] = ()
    milestones: Sequence[Milestone] = ()
    training: Training | None = None


def cards(
    projects: Sequence[Project], annotator: Annotator | None, wanted: Sequence[str] = ()
) -> list[Card]:
    """Return the cards of projects, those first that have a question for somebody.

    wanted: the languages that concepts are named in, the most wanted first.
    """
    asking = {project.pk for project in taking_part.asking(annotator, projects)}
    totals = _totals([project.pk for project in projects])
    rows = [
        _card(
            project,
            totals[project.pk],
            asks=project.pk in asking,
            more=place < PROJECTS_WITH_MORE,
            wanted=wanted,
        )
        for place, project in enumerate(projects)
    ]
    return sorted(rows, key=lambda card: not card.asks)


def wall(cards: Sequence[Card]) -> list[Picture]:
    """Return up to `WALL` pictures, of each project in turn; none where there are too few."""
    rows = [_pictures(card.project, WALL) for card in cards if card.pictures]
    turns = [row[place] for place in range(WALL) for row in rows if place < len(row)][:WALL]
    return turns[: len(turns) // 3 * 3]


def drawn(cards: Sequence[Card]) -> list[Drawing]:
    """Return up to `DRAWINGS` drawings of one project, one with an earlier model if there is."""
    shown: list[Drawing] = []
    for card in cards[:PROJECTS_WITH_MORE]:
        newest = drawings.newest(card.project)[:DRAWINGS]
        if any(each.earlier_url for each in newest):
            return newest
        shown = shown or newest
    return shown


def _totals(projects: Sequence[int]) -> dict[int, Totals]:
    """Return the totals of projects by id, about `TOTALS_SECONDS` old at most.

    They are measured again once an import has ended, and once what it brought is worked in.
    """
    known_by = *projects, _last_import(projects)
    digest = hashlib.sha256(" ".join(map(str, known_by)).encode()).hexdigest()[:32]

    def measure() -> dict[str, list[tuple[int, ...]]]:
        return {"rows": [(pk, *each) for pk, each in progress.totals(projects).items()]}

    rows = project_stats.cached(f"totals:{digest}", measure, TOTALS_SECONDS)["rows"]
    return {pk: Totals(images, labels) for pk, images, labels in rows}


def _last_import(projects: Sequence[int]) -> tuple[int, str, bool] | None:
    """Return the last import that ended, how, and whether labels were recomputed since."""
    ended = Import.objects.filter(project__in=projects, finished_at__isnull=False)
    recomputed = Q(project__recomputation__finished_at__gt=F("finished_at"))
    rows = ended.annotate(recomputed=ExpressionWrapper(recomputed, BooleanField()))
    return rows.order_by("-finished_at").values_list("pk", "state", "recomputed").first()


def _card(
    project: Project, totals: Totals, *, asks: bool, more: bool, wanted: Sequence[str]
) -> Card:
    if not more:
        return Card(project, totals, asks)
    return Card(
        project,
        totals,
        asks,
        pictures=_pictures(project, CARD_PICTURES),
        milestones=milestones.of_project(project, wanted)[:MILESTONES],
        training=milestones.training(project),
    )


def _pictures(project: Project, most: int) -> list[Picture]:
    count = len(showcase.tiles(project)[:most])
    return [Picture(project, number) for number in range(1, count + 1)]

"""What a project can ask: kinds of challenge, from pools that are filled where they are short."""

import copy
from collections.abc import Sequence

from django.db.models import Sum

from labeling import pools
from labeling.models import Annotator, Concept, Pool, Project
from labeling.selection.reader import PoolKey
from labeling.selection.selector import Selector

MIX = {"grid": 0.6, "split": 0.15, "verify": 0.2, "write": 0.05}  # share of each; no text
MAX_FILLED = 3  # pools that are filled, or have a worker woken, for one challenge


def has_question(*, annotator: Annotator | None, project: Project) -> bool:
    """Whether a project has anything to ask somebody now; annotator: None for a newcomer.

    It chooses as `issue` does and reserves nothing: what it finds, others may be asked first.
    """
    person = annotator or Annotator(pk=0)  # nobody's id
    for accept_short in (False, True):
        selector = Selector(annotator=person, project=project, accept_short=accept_short)
        if any(selector.choose(kind) for kind in MIX):
            return True
        if not selector.short:
            return False
        fill(selector.short)
    return False


def kinds(project: Project) -> list[str]:
    """Return the kinds of challenge that a project can ask a newcomer, or could with pools filled.

    It reserves and fills nothing. Text questions are not among them: `selection.texts.supply`.
    """
    wanted = copy.copy(project)
    wanted.random_share = 0.0  # what is asked at random is among what is wanted
    return [kind for kind in MIX if _can_ask(wanted, kind)]


def fill(short: Sequence[PoolKey]) -> None:
    """Fill the first of these pools that can be filled."""
    keys = list(dict.fromkeys(short))[:MAX_FILLED]
    rows = Concept.objects.select_related("project").in_bulk([concept for concept, _grid in keys])
    for concept, grid in keys:
        if concept in rows and pools.fill(rows[concept], grid):
            return


def fillings(project: Project) -> int:
    """Return how often pools of the project were filled; more, and there was more to reserve."""
    total = Pool.objects.filter(concept__project=project).aggregate(total=Sum("fillings"))["total"]
    return total or 0


def _can_ask(project: Project, kind: str) -> bool:
    selector = Selector(annotator=Annotator(pk=0), project=project, accept_short=True)
    return selector.choose(kind) is not None or bool(selector.short)

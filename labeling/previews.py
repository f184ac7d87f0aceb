"""What a visitor would be asked first: chosen as for them, but nothing is reserved or stored."""

from labeling import pools
from labeling.challenges import MIX
from labeling.models import Annotator, Challenge, Concept, Project
from labeling.selection import concepts
from labeling.selection.picks import Selection
from labeling.selection.selector import Selector

NOBODY = 0  # the primary key of a visitor who has answered nothing
MAX_FILLED = 3  # pools that are filled for one preview, as they would be for a visitor


def choose(*, project: Project, kind: str | None = None) -> Challenge | None:
    """Choose a challenge for somebody new, whatever the project's state; it is not stored.

    None where there is nothing to ask, of that kind or of any.
    """
    visitor = Annotator(pk=NOBODY, pseudonym="preview")
    selector = Selector(annotator=visitor, project=project)
    selection = _first(selector, kind)
    if selection is None and selector.short:
        _fill(selector)
        accepting = Selector(annotator=visitor, project=project, accept_short=True)
        selection = _first(accepting, kind)
    if selection is None:
        return None
    return Challenge(
        project=project,
        annotator=visitor,
        kind=selection.kind,
        concept_id=selection.concept,
        questions=[pick.question for pick in selection.picks if pick.question is not None],
        tiles=[pick.tile for pick in selection.picks],
        reasons=[pick.reason for pick in selection.picks],
    )


def _first(selector: Selector, kind: str | None) -> Selection | None:
    kinds = [kind] if kind else concepts.weighted_shuffle(MIX)
    return next((s for each in kinds for s in selector.selections(each)), None)


def _fill(selector: Selector) -> None:
    """Fill the pools that hold too little: a draft's have not been filled before."""
    keys = list(dict.fromkeys(selector.short))[:MAX_FILLED]
    rows = Concept.objects.select_related("project").in_bulk([concept for concept, _ in keys])
    for concept, grid in keys:
        if concept in rows:
            pools.fill(rows[concept], grid)

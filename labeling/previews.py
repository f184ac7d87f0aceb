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
    for each in [kind] if kind else concepts.weighted_shuffle(MIX):
        selection = _first(project, each)
        if selection is not None:
            return _challenge(project, selection)
    return None


def _first(project: Project, kind: str) -> Selection | None:
    """Return the first selection of a kind; a draft's pools have to be filled for it."""
    visitor = Annotator(pk=NOBODY, pseudonym="preview")
    selector = Selector(annotator=visitor, project=project)
    selection = selector.choose(kind)
    if selection is not None or not selector.short:
        return selection
    _fill(selector)
    return Selector(annotator=visitor, project=project, accept_short=True).choose(kind)


def _challenge(project: Project, selection: Selection) -> Challenge:
    return Challenge(
        project=project,
        annotator=Annotator(pk=NOBODY, pseudonym="preview"),
        kind=selection.kind,
        concept_id=selection.concept,
        questions=[pick.question for pick in selection.picks if pick.question is not None],
        tiles=[pick.tile for pick in selection.picks],
        reasons=[pick.reason for pick in selection.picks],
        sentences=list(selection.sentences),
    )


def _fill(selector: Selector) -> None:
    """Fill the pools that hold too little: a draft's have not been filled before."""
    keys = list(dict.fromkeys(selector.short))[:MAX_FILLED]
    rows = Concept.objects.select_related("project").in_bulk([concept for concept, _ in keys])
    for concept, grid in keys:
        if concept in rows:
            pools.fill(rows[concept], grid)

"""Reserve the questions of a selection, with substitutes for those that others reserved first."""

from collections.abc import Sequence
from datetime import datetime

from labeling.models import Challenge, Project
from labeling.selection import reservations
from labeling.selection.picks import Kind, Pick, Selection

SHOWN = Challenge.SHOWN


def reserve(
    selection: Selection, *, project: Project, until: datetime, now: datetime
) -> list[Pick]:
    """Reserve the open questions of a selection; return its picks, none where all are lost.

    A lost question is replaced by a substitute. Where there is none, its tile is left out, or in a
    split picture only shown. Call it inside a transaction.
    """
    wanted = [pick for pick in selection.picks if pick.needs_reservation]
    reserved = _reserve(wanted, project=project, until=until, now=now)
    substitutes = list(selection.substitutes)
    while len(reserved) < len(wanted) and substitutes:
        missing = len(wanted) - len(reserved)
        some, substitutes = substitutes[:missing], substitutes[missing:]
        reserved += _reserve(some, project=project, until=until, now=now)
    if wanted and not reserved:
        return []
    replacements = iter([pick for pick in reserved if pick not in wanted])
    picks = [
        pick
        if pick in reserved or not pick.needs_reservation
        else next(replacements, pick._replace(reason=SHOWN))
        for pick in selection.picks
    ]
    if selection.kind == Kind.SPLIT:
        return picks
    return [pick for pick in picks if pick.reason != SHOWN]


def _reserve(
    picks: Sequence[Pick], *, project: Project, until: datetime, now: datetime
) -> list[Pick]:
    """Reserve the questions of these picks; return those that were available."""
    ids = [pick.question for pick in picks if pick.question is not None]
    reserved = reservations.reserve(ids, project=project, until=until, now=now)
    return [pick for pick in picks if pick.question in reserved]

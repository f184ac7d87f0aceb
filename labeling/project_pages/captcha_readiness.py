"""Whether a project knows enough to ask visitors of other sites, as its owner reads it."""

from typing import Any

from labeling import project_stats
from labeling.captcha import decks, text_decks, text_rounds
from labeling.models import Project

SECONDS = 20  # for which it is kept
SHOWN = 20  # concepts


def context(project: Project) -> dict[str, Any]:
    """Return what the template shows: why nothing is asked, and how much is known of what."""
    reason = _closed(project)
    kept = project_stats.cached(f"captcha-readiness:{project.pk}", lambda: _rows(project), SECONDS)
    if not reason and not kept["ready"] and not kept["texts"]:
        reason = "No concept has enough pictures whose truth is known: mark gold."
    return {
        "reason": reason,
        "one_is_enough": project.answers_min < 2,
        **kept,
        "more": kept["concepts"] - len(kept["rows"]),
        "least_yes": decks.LEAST_YES,
        "least_no": decks.LEAST_NO,
        "ample": decks.ENOUGH,
        "many": decks.KNOWN,
        "least_texts": text_decks.LEAST,
        "ample_texts": text_decks.ENOUGH,
    }


def _closed(project: Project) -> str:
    """Say why a project's pictures are not shown to visitors of other sites; empty where they are.

    What is said is what `decks.may_be_asked` looks at.
    """
    if decks.may_be_asked(project):
        return ""
    if project.state == Project.State.DRAFT:
        return "The project is a draft: publish it first."
    if project.private:
        return (
            "The project is private, and visitors of other sites were not invited to it: "
            "untick that under Settings. Everybody may then take part on this server, too."
        )
    return "The project is archived: reopen it under Settings."


def _rows(project: Project) -> dict[str, Any]:
    found, texts = decks.readiness(project), text_rounds.readiness(project)
    rows = [
        {
            "concept": each.concept.pk,
            "name": each.concept.name,
            "yes": each.yes,
            "no": each.no,
            "ready": each.is_ready,
            "ample": each.is_ample,
        }
        for each in found
    ]
    return {
        "rows": rows[:SHOWN],
        "concepts": len(rows),
        "ready": sum(bool(row["ready"]) for row in rows),
        "texts": texts.is_ready,
        "texts_ample": texts.is_ample,
        "known_texts": texts.true,
    }

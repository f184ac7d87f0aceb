"""What the gate says of a model, as its pages show it: a sentence, judges with bars, history."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils.html import format_html
from django.utils.safestring import SafeString

from training import promotion
from training.admin import metrics
from training.models import Model, Promotion

REMEMBERED = 10
WIDTH, HEIGHT, EDGE = 160, 18, 6


def shown(model: Model, viewer: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    """The context of `admin/training/verdict.html`."""
    verdict = model.verdict or {}
    against = Model.objects.filter(pk=verdict.get("against") or 0).first()
    may = viewer.has_perm("training.change_model")  # type: ignore[union-attr]
    return {
        "model": model,
        "standing": standing(model),
        "why": verdict.get("why", ""),
        "against": against,
        "judges": [_judge(judge) for judge in verdict.get("judges", [])],
        "answers": verdict.get("answers", 0),
        "history": _history(model),
        "previous": promotion.rival_of(model) if model.current and may else None,
        "was_current": model.promotions.exists(),
        "may_promote": may,
    }


def standing(model: Model) -> str:
    """The model's place in a few words."""
    if model.current:
        return "current"
    if model.reviewed_at is None:
        return "candidate, not judged yet"
    return "was current" if model.promotions.exists() else "candidate, not promoted"


def who(row: Promotion) -> str:
    if row.by_gate:
        return "the gate"
    return str(row.by) if row.by else "somebody who has left"


def _history(model: Model) -> list[dict[str, Any]]:
    """Who became the current one of the recipe, when, and by whom: the newest first."""
    siblings = Promotion.objects.filter(model__project=model.project_id, model__recipe=model.recipe)
    return [
        {"promotion": row, "who": who(row)}
        for row in siblings.select_related("model", "by")[:REMEMBERED]
    ]


def _judge(judge: dict[str, Any]) -> dict[str, Any]:
    low, high = judge.get("low"), judge.get("high")
    interval = "" if None in (low, high) else f"{metrics.number(low)} to {metrics.number(high)}"
    return {
        "name": metrics.words(str(judge.get("name", ""))),
        "new": metrics.number(judge.get("new")),
        "current": metrics.number(judge.get("current")),
        "difference": metrics.number(judge.get("difference")),
        "interval": interval,
        "says": judge.get("says", ""),
        "bar": _bar(judge),
    }


def _bar(judge: dict[str, Any]) -> SafeString | str:
    """The interval of the difference about 0, right of which is better; shaded: still no worse."""
    values = [judge.get(name) for name in ("difference", "low", "high", "margin")]
    if any(value is None for value in values):
        return ""
    difference, low, high, margin = map(float, values)  # type: ignore[arg-type]
    span = max(abs(low), abs(high), abs(difference), 2 * margin) or 1.0

    def x(value: float) -> str:
        return f"{WIDTH / 2 + value / span * (WIDTH / 2 - EDGE):.1f}"

    return format_html(
        '<svg class="verdict-bar" width="{}" height="{}" aria-hidden="true">'
        '<rect class="margin" x="{}" y="2" width="{}" height="14"/>'
        '<line class="zero" x1="{}" x2="{}" y1="0" y2="18"/>'
        '<line class="range" x1="{}" x2="{}" y1="9" y2="9"/>'
        '<circle cx="{}" cy="9" r="4"/></svg>',
        WIDTH, HEIGHT, x(-margin), f"{float(x(0)) - float(x(-margin)):.1f}",
        x(0), x(0), x(low), x(high), x(difference),
    )  # fmt: skip

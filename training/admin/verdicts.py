"""The verdict on a model as its pages show it: a sentence, judges with bars, history."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils.html import format_html
from django.utils.safestring import SafeString

from training import generators, promotion
from training.admin import metrics
from training.engine import metric_names
from training.models import Model, Promotion

HISTORY_MAX = 10  # promotions of the recipe
WIDTH, HEIGHT, EDGE = 160, 18, 6  # of a bar, in CSS pixels


def context(model: Model, viewer: AbstractBaseUser | AnonymousUser) -> dict[str, Any]:
    """Return the context of `admin/training/verdict.html`."""
    stored = model.verdict or {}
    baseline = Model.objects.filter(pk=stored.get("baseline") or 0).first()
    may_promote = viewer.has_perm("training.change_model")  # type: ignore[union-attr]
    return {
        "model": model,
        "standing": standing(model),
        "reason": stored.get("why", ""),
        "baseline": baseline,
        "judges": [_judge(judge) for judge in stored.get("judges", [])],
        "same_prompts": baseline is not None and generators.generates(model.recipe),
        "answers": stored.get("answers", 0),
        "history": _history(model),
        "previous": promotion.baseline_of(model) if model.current and may_promote else None,
        "was_current": model.promotions.exists(),
        "may_promote": may_promote,
    }


def standing(model: Model) -> str:
    """Return in a few words whether a model is current, was so, or is a candidate."""
    if model.current:
        return "current"
    if model.reviewed_at is None:
        return "candidate, not judged yet"
    return "was current" if model.promotions.exists() else "candidate, not promoted"


def decided_by(promotion: Promotion) -> str:
    """Return who made the model current: a person, or the comparison."""
    if promotion.automatic:
        return "comparison"
    return str(promotion.promoted_by) if promotion.promoted_by else "somebody who has left"


def _history(model: Model) -> list[dict[str, Any]]:
    """Return the last promotions of the recipe, the newest first."""
    siblings = Promotion.objects.filter(model__project=model.project_id, model__recipe=model.recipe)
    return [
        {"promotion": row, "decided_by": decided_by(row)}
        for row in siblings.select_related("model", "promoted_by")[:HISTORY_MAX]
    ]


def _judge(judge: dict[str, Any]) -> dict[str, Any]:
    low, high = judge.get("low"), judge.get("high")
    interval = "" if None in (low, high) else f"{metrics.number(low)} to {metrics.number(high)}"
    return {
        "name": metric_names.words(str(judge.get("name", ""))),
        "new": metrics.number(judge.get("new")),
        "current": metrics.number(judge.get("current")),
        "difference": metrics.number(judge.get("difference")),
        "interval": interval,
        "says": judge.get("says", ""),
        "bar": _bar(judge),
    }


def _bar(judge: dict[str, Any]) -> SafeString | str:
    """Draw the interval of the difference about 0; right is better, the shaded part no worse."""
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

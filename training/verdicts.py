"""The verdict on a model in plain words, the same for pages, API, admin and commands."""

from dataclasses import asdict, dataclass
from typing import Any

from labeling.numbers import count
from training import generators, prediction_shares
from training.engine import metric_names
from training.engine.metric_names import ENCODER, PEOPLE
from training.engine.presets import SMOKE
from training.models import Model, Promotion
from training.prediction_shares import Prediction

SAYS = {
    "better": "better",
    "worse": "worse",
    "no worse": "no worse",
    "cannot tell": "too close to call",
}


@dataclass(frozen=True)
class Figure:
    """What one judge says of a model beside its baseline.

    `low`, `difference`, `high` and `margin` are numbers whose sign makes up better; None where
    there are none.
    """

    name: str
    new: str
    current: str
    difference: str
    n: str
    says: str
    numbers: tuple[float, float, float, float] | None  # difference, low, high, margin

    def in_words(self) -> dict[str, str]:
        """Return all but the numbers."""
        return {name: value for name, value in asdict(self).items() if name != "numbers"}


def standing(model: Model) -> str:
    """Return in a few words whether a model is current, was so, or is a candidate."""
    if model.current:
        return "current"
    if not model.promotions.all():
        judged = model.reviewed_at is not None
        return "candidate, not promoted" if judged else "candidate, not judged yet"
    return "was current" if model.accepted else "was current, taken back"


def sentence(model: Model) -> str:
    """Return the verdict's sentence with what followed from it; empty before there is one."""
    stored = model.verdict or {}
    why = str(stored.get("why", "")).rstrip(". ")
    return f"{why}{_outcome(model, bool(stored.get('promoted')))}." if why else ""


def _outcome(model: Model, passed: bool) -> str:
    """Return what became of a model that has passed its comparison, or has not."""
    promotions = [row for row in model.promotions.all() if row.undoes_id is None]
    if passed:
        automatic = any(row.automatic for row in promotions)
        return ": promoted" if automatic else ", but people have decided otherwise"
    if not promotions:
        goes_on = beside_encoder(model)
        return ", so the image encoder goes on predicting" if goes_on else ": not promoted"
    if not promotions[0].automatic:  # the newest is the first
        return ", but a person promoted it"
    return ", so it was taken back" if not model.accepted else ", so far it stays"


def figures(model: Model) -> list[Figure]:
    """Return what each judge says in its words."""
    judges = (model.verdict or {}).get("judges", [])
    return [_figure(judge) for judge in judges if isinstance(judge, dict)]


def baseline(model: Model) -> Model | None:
    """Return the model that the verdict compares with, if it is still there."""
    return Model.objects.filter(pk=(model.verdict or {}).get("baseline") or 0).first()


def beside_encoder(model: Model) -> bool:
    """Return whether the verdict compares with what the frozen encoder predicts."""
    return bool((model.verdict or {}).get("beside_encoder"))


def same_prompts(model: Model) -> bool:
    """Return whether both models drew the same prompts from the same seeds."""
    has_baseline = bool((model.verdict or {}).get("baseline"))
    return has_baseline and generators.generates(model.recipe)


def feedback(model: Model) -> str:
    """Return what a model gave back to the loop, or why it gave nothing."""
    if generators.translates(model.recipe):
        return "nothing: nobody is asked about other halves"
    if generators.generates(model.recipe) and model.run.preset == SMOKE:
        return "nothing: its preset only tries whether everything works"
    if model.feedback is None:
        gives = model.current or generators.is_accepted(model)
        if gives and (looked := prediction_shares.progress(Prediction(model.project, model))):
            return f"not yet: {looked[0]:,} of {looked[1]:,} tiles have been looked at"
        return "not yet" if gives else "nothing: it is not the current one"
    if model.feedback == {"samples": 0}:
        return "nothing: people's answers have settled nothing yet that it could draw"
    if error := model.feedback.get("error"):
        return f"nothing, because: {error}"
    return ", ".join(f"{count:,} {name}" for name, count in model.feedback.items())


def decided_by(promotion: Promotion) -> str:
    """Return who changed the current model: a person, or the comparison."""
    if promotion.automatic:
        return "the comparison"
    return str(promotion.promoted_by) if promotion.promoted_by else "somebody who has left"


def changed(promotion: Promotion) -> str:
    """Return what a change of the current model did, in words."""
    became = f"{promotion.model} became current" if promotion.model else "none is current"
    if promotion.undoes:
        return f"Undone: {became}"
    if promotion.model is None:
        return f"{promotion.replaced or 'The model'} was taken back: {became}"
    return became[0].upper() + became[1:]


def _figure(judge: dict[str, Any]) -> Figure:
    name = str(judge.get("name", ""))
    values = [judge.get(key) for key in ("difference", "low", "high", "margin")]
    numbers = None if any(value is None for value in values) else tuple(map(float, values))  # type: ignore[arg-type]
    difference = metric_names.difference(name, *numbers[:3]) if numbers else "–"
    current = metric_names.figure(name, judge.get("current"))
    return Figure(
        name=metric_names.words(name),
        new=metric_names.figure(name, judge.get("new")),
        current=f"{current}, the image encoder" if judge.get("rival") == ENCODER else current,
        difference=difference,
        n=_n(name, judge.get("n")),
        says=SAYS.get(str(judge.get("says")), str(judge.get("says", ""))),
        numbers=numbers,  # type: ignore[arg-type]
    )


def _n(name: str, number: object) -> str:
    if not isinstance(number, int):
        return ""
    noun = "answered picture" if name == PEOPLE else "value"
    if "r_precision" in name or name.startswith("near_copies"):
        noun = "prompt"
    elif name.startswith("kid") or "@10" in name or "caption" in name or "log_loss" in name:
        noun = "picture"
    elif name.startswith("other_half"):
        noun = "held-out pair"
    return count(number, noun)

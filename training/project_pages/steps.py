"""The last two steps of the loop: the model, and its drawings."""

from django.conf import settings
from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import pluralize
from django.urls import reverse

from labeling import project_stats
from labeling.access import Capability
from labeling.models import Project, Question
from labeling.numbers import count
from labeling.project_pages.loop import Action, Step, Urgency, register
from labeling.project_pages.steps import address
from training import generators, labels, project_state, readiness, runs
from training.engine.presets import SMOKE
from training.models import Model, Run, Sample

SECONDS = 10  # for which counts are kept


def model(project: Project) -> Step:
    """Return the step at which a model learns from the labels."""
    counts = project_stats.cached(f"model-step:{project.pk}", lambda: _counts(project), SECONDS)
    new = counts["new_labels"]
    current = list(project.models.filter(current=True).order_by("recipe"))
    return Step(
        name="model",
        title="Model",
        number=project.models.count(),
        unit=f"model{pluralize(project.models.count())}",
        url=address("project-models", project),
        trend=f"{intcomma(new)} label{pluralize(new)} that it has not seen" if current else "",
        state=_state(project, current, counts),
        actions=tuple(_actions(project, current, counts)),
    )


def drawings(project: Project) -> Step:
    """Return the step at which the model's drawings come back to be judged."""
    counts = project_stats.cached(f"drawing-step:{project.pk}", lambda: _drawn(project), SECONDS)
    asked = counts["asked"]
    generator = generators.all_models().filter(project=project, current=True).first()
    draw = f"{reverse('draw')}?project={project.slug}"
    if generator is None:
        state = "No model that draws yet."
    elif asked:
        state = f"{intcomma(asked)} await{'s' if asked == 1 else ''} people's answers."
    else:
        state = "None awaits an answer."
    return Step(
        name="drawings",
        title="Drawings",
        number=counts["samples"],
        unit=f"drawing{pluralize(counts['samples'])}",
        url=draw if generator else address("project-models", project),
        state=state,
        actions=(Action("Draw", draw, Capability.VIEW),) if generator else (),
    )


def _counts(project: Project) -> dict[str, int]:
    return {
        "labels": labels.settled(project).count(),
        "new_labels": labels.new(project).count(),
        "pairs": readiness.pairs(project).count(),
    }


def _drawn(project: Project) -> dict[str, int]:
    asked = Question.objects.filter(project=project, kind="concept", source="model", state="open")
    return {
        "samples": Sample.objects.filter(
            generation__model__project=project, generation__draft=False
        ).count(),
        "asked": asked.count(),
    }


def _state(project: Project, current: list[Model], counts: dict[str, int]) -> str:
    """Say whether a run is under way, a model waits for its verdict, or which one is current."""
    if unfinished := project_state.unfinished_runs(project):
        return _under_way(unfinished[0])
    if waiting := project.models.filter(reviewed_at=None).first():
        return f"The {waiting} waits for its verdict."
    if current:
        names = " and ".join(f"{each.recipe} no. {each.pk}" for each in current[:3])
        return f"Current: {names}."
    if counts["pairs"]:
        return f"It can learn from {count(counts['pairs'], 'pair')} now."
    missing = settings.RETRAIN_MINIMUM - counts["labels"]
    if missing > 0:
        return f"It can learn once there are {intcomma(missing)} more certain labels."
    return "Nothing has been trained yet."


def _under_way(run: Run) -> str:
    if run.state == Run.State.RUNNING:
        share = f": {run.step / run.steps:.0%}" if run.steps else ""
        return f"Training {run.recipe}{share}."
    return f"A run of {run.recipe} waits to start."


def _actions(project: Project, current: list[Model], counts: dict[str, int]) -> list[Action]:
    actions, new = list[Action](), counts["new_labels"]
    if _candidate(project):
        actions.append(
            Action(
                "Compare and promote",
                address("project-compare", project),
                Capability.TRAIN,
                Urgency.WAITING,
                "A new model was not found better by itself: look at both, and decide.",
            )
        )
    if counts["pairs"] and not project.models.exists() and not runs.busy(project=project):
        train = f"{address('project-train', project)}?preset=pairs/cpu"
        actions.append(Action("Train on pairs", train, Capability.TRAIN))
    if counts["labels"] >= settings.RETRAIN_MINIMUM and new and not runs.busy(project=project):
        due = not current or 0 < project.retrain_after <= new
        verb = "Retrain" if project.models.exists() else "Train"
        actions.append(
            Action(
                f"{verb}: {intcomma(new)} new label{pluralize(new)}",
                address("project-train", project),
                Capability.TRAIN,
                Urgency.WAITING if due else Urgency.OPTIONAL,
                "There are labels that no model has learned from.",
            )
        )
    return actions


def _candidate(project: Project) -> Model | None:
    """Return the newest reviewed model that a person may decide on; no trial is among them."""
    waiting = project_state.waiting_models(project)
    return next((m for m in waiting if m.reviewed_at and m.run.preset != SMOKE), None)


register(40, model)
register(50, drawings)

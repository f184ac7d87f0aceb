"""Models that draw: which they are, what they can be asked for, and who may see their images.

The public sees images of *public* models alone: those that were accepted, in projects that anybody
may take part in. Whoever takes part in a private project sees its accepted models; whoever may look
at a project's pages sees all its models.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath

from django.db.models import Case, Q, QuerySet, When

from labeling import access, snapshots, stored_folders
from labeling.models import Annotator, Membership, Project
from labeling.stored_folders import FolderMissing, StorageAway
from training.engine.presets import SMOKE
from training.models import Generation, Model, Sample

RECIPES = ("diffusion", "gan", "autoregressive", "lora")  # whose models draw from a text
TRANSLATING_RECIPES = ("pairs",)  # whose models draw the other half of an image
INPAINTING_RECIPES = ("autoregressive",)  # whose models also inpaint
DRAWING_RECIPES = (*RECIPES, *TRANSLATING_RECIPES)  # whose models can be sent requests
KINDS = {  # the recipes whose models can be sent a kind of request
    Generation.Kind.SAMPLES: RECIPES,
    Generation.Kind.INTERPOLATION: RECIPES,
    Generation.Kind.INPAINTING: INPAINTING_RECIPES,
    Generation.Kind.TRANSLATION: TRANSLATING_RECIPES,
}

_ACCEPTED = (Q(current=True) | Q(accepted=True)) & ~Q(run__preset=SMOKE)


def generates(recipe: str) -> bool:
    """Return whether models of the recipe draw from a text."""
    return recipe in RECIPES


def translates(recipe: str) -> bool:
    """Return whether models of the recipe draw the other half of a given image."""
    return recipe in TRANSLATING_RECIPES


def draws(recipe: str) -> bool:
    """Return whether models of the recipe can be sent requests at all."""
    return recipe in DRAWING_RECIPES


def kinds(recipe: str) -> list[str]:
    """Return the kinds of requests that models of the recipe can be sent."""
    return [kind.value for kind, recipes in KINDS.items() if recipe in recipes]


def draws_in_one_call(model: Model) -> bool:
    """Return whether the model draws with one call of a network, as fast as somebody types."""
    try:
        return generates(model.recipe) and has_student(model.folder)
    except (FolderMissing, StorageAway):
        return False


@lru_cache(maxsize=256)  # a finished model's config never changes
def has_student(folder: str) -> bool:
    """Return whether a model's folder holds a student, which draws in one call.

    Raises FolderMissing and StorageAway.
    """
    with stored_folders.open(folder, "config.json") as file:
        try:
            return bool(json.load(file)["network"].get("one_call_steps", 0) > 0)
        except (ValueError, KeyError, TypeError, AttributeError):
            return False


def all_models(recipes: Sequence[str] = DRAWING_RECIPES) -> QuerySet[Model]:
    """Return all models that draw: current ones first, then by recipe, newest first."""
    order = [When(recipe=recipe, then=place) for place, recipe in enumerate(recipes)]
    models = Model.objects.filter(recipe__in=recipes).select_related("project", "run__snapshot")
    return models.order_by("-current", Case(*order), "project__name", "-id")


def accepted(recipes: Sequence[str] = DRAWING_RECIPES) -> QuerySet[Model]:
    """Return those whose images may be put before the people who take part in their project.

    They are current, or were until a better one came, and no preset made them that is only there
    to see that everything works.
    """
    return all_models(recipes).filter(_ACCEPTED)


def is_accepted(model: Model) -> bool:
    """Return whether a model is among `accepted`."""
    return accepted().filter(pk=model.pk).exists()


def visible(user: access.User, annotator: Annotator | None = None) -> QuerySet[Model]:
    """Return the models whose images somebody may see.

    annotator: a visitor who is not signed in, where they are known.
    """
    own = Q(project__in=access.projects(user))
    return all_models().filter(own | (_ACCEPTED & Q(project__in=_shown_to(user, annotator))))


def _shown_to(user: access.User, annotator: Annotator | None) -> QuerySet[Project]:
    """Return the open projects that somebody may take part in."""
    member = Q(user=user.pk) if user.is_authenticated and user.is_active else Q(pk=None)
    if annotator is not None:
        member |= Q(annotator=annotator)
    invited = Membership.objects.filter(member).values("project")
    return Project.objects.open().filter(Q(private=False) | Q(pk__in=invited))


def nearest(sample: Sample) -> tuple[str | None, ...]:
    """Return the training images that a sample is nearest to, nearest first.

    Each is named as in the folder of the model's snapshot; None stands for one that was removed
    from the project since.
    """
    snapshot = sample.generation.model.run.snapshot
    if snapshot is None:
        return ()
    names = [PurePosixPath(str(each.get("file_name"))).name for each in sample.nearest]
    removed = snapshots.removed_files(snapshot, names)
    return tuple(None if name in removed else f"train/{name}" for name in names)

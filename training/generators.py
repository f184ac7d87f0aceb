"""Models that generate images: which they are, what they can do, and who may see their images.

The public sees images of *public* models alone: those that were accepted, in projects that anybody
may take part in. Whoever takes part in a private project sees its accepted models; whoever may look
at a project's pages sees all its models.
"""

from functools import lru_cache
from pathlib import Path

from django.db.models import Case, Q, QuerySet, When

from labeling import access, snapshots
from labeling.models import Annotator, Membership, Project
from training.engine.presets import SMOKE
from training.models import Model, Sample

RECIPES = ("diffusion", "gan", "autoregressive", "lora")  # whose models generate images
TRANSLATING_RECIPES = ("pairs",)  # whose models draw the other half of an image
INPAINTING_RECIPES = ("autoregressive",)  # whose models also inpaint

EXAMPLES_MAX = 8  # images of the project that are offered to be inpainted
SUFFIXES = {".png", ".jpg", ".webp"}

_ACCEPTED = (Q(current=True) | Q(accepted=True)) & ~Q(run__preset=SMOKE)


def generates(recipe: str) -> bool:
    """Return whether models of the recipe generate images."""
    return recipe in RECIPES


def translates(recipe: str) -> bool:
    """Return whether models of the recipe draw the other half of a given image."""
    return recipe in TRANSLATING_RECIPES


def inpaints(recipe: str) -> bool:
    """Return whether models of the recipe complete the lower half of a given image."""
    return recipe in INPAINTING_RECIPES


def has_files(model: Model) -> bool:
    """Return whether the model's folder is still there."""
    return Path(model.folder, "config.json").is_file()


def all_models() -> QuerySet[Model]:
    """Return all models that generate images: current ones first, then by recipe, newest first."""
    order = [When(recipe=recipe, then=place) for place, recipe in enumerate(RECIPES)]
    models = Model.objects.filter(recipe__in=RECIPES).select_related("project", "run__snapshot")
    return models.order_by("-current", Case(*order), "project__name", "-id")


def accepted() -> QuerySet[Model]:
    """Return those whose images may be put before the people who take part in their project.

    They are current, or were until a better one came, and no preset made them that is only there
    to see that everything works.
    """
    return all_models().filter(_ACCEPTED)


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


def examples(model: Model) -> tuple[Path, ...]:
    """Return up to `EXAMPLES_MAX` images of the model's snapshot, held-out ones if it has any.

    Those that were removed from the project since are left out.
    """
    snapshot = model.run.snapshot
    if snapshot is None or not snapshot.folder:
        return ()
    paths = _examples(snapshot.folder)
    removed = snapshots.removed_files(snapshot, (path.name for path in paths))
    return tuple(path for path in paths if path.name not in removed)


def nearest(sample: Sample) -> tuple[Path | None, ...]:
    """Return the training images that a sample is nearest to, nearest first.

    None stands for one that was removed from the project since.
    """
    snapshot = sample.generation.model.run.snapshot
    if snapshot is None:
        return ()
    names = [Path(str(each.get("file_name"))).name for each in sample.nearest]
    removed = snapshots.removed_files(snapshot, names)
    folder = Path(snapshot.folder, "train")
    return tuple(None if name in removed else folder / name for name in names)


@lru_cache(maxsize=64)  # a snapshot's folder never changes, and may hold many files
def _examples(folder: str) -> tuple[Path, ...]:
    for split in ("test", "train"):
        place = Path(folder, split)
        files = place.iterdir() if place.is_dir() else ()
        images = sorted(path for path in files if path.suffix in SUFFIXES)
        if images:
            return tuple(images[:: -(-len(images) // EXAMPLES_MAX)])
    return ()

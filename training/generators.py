"""Models that generate images: which they are, what they can do, and images to offer them."""

from functools import lru_cache
from pathlib import Path

from django.db.models import Case, QuerySet, When

from training.models import Model

RECIPES = ("diffusion", "gan", "autoregressive", "lora")  # whose models generate images
INPAINTING_RECIPES = ("autoregressive",)  # whose models also inpaint

EXAMPLES_MAX = 8  # images of the project that are offered to be inpainted
SUFFIXES = {".png", ".jpg", ".webp"}


def generates(recipe: str) -> bool:
    """Return whether models of the recipe generate images."""
    return recipe in RECIPES


def inpaints(recipe: str) -> bool:
    """Return whether models of the recipe complete the lower half of a given image."""
    return recipe in INPAINTING_RECIPES


def all_models() -> QuerySet[Model]:
    """Return all models that generate images: current ones first, then by recipe, newest first."""
    order = [When(recipe=recipe, then=place) for place, recipe in enumerate(RECIPES)]
    models = Model.objects.filter(recipe__in=RECIPES).select_related("project", "run__snapshot")
    return models.order_by("-current", Case(*order), "project__name", "-id")


def examples(model: Model) -> tuple[Path, ...]:
    """Return up to `EXAMPLES_MAX` images of the model's snapshot, held-out ones if it has any."""
    snapshot = model.run.snapshot
    return _examples(snapshot.folder) if snapshot and snapshot.folder else ()


@lru_cache(maxsize=64)  # a snapshot's folder never changes, and may hold many files
def _examples(folder: str) -> tuple[Path, ...]:
    for split in ("test", "train"):
        place = Path(folder, split)
        files = place.iterdir() if place.is_dir() else ()
        images = sorted(path for path in files if path.suffix in SUFFIXES)
        if images:
            return tuple(images[:: -(-len(images) // EXAMPLES_MAX)])
    return ()

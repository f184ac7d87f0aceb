"""What stands predicted of held-out pictures that somebody has spoken of: a first CLIP's rival."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from django.db.models import Q

from labeling import images, snapshot_rows
from labeling.batches import batched
from labeling.beliefs import Beliefs, TileFacts, facts
from labeling.models import Image, Project, Question, Tile

BATCH = 500  # images


def of_held_out(project: Project) -> dict[str, dict[str, float]]:
    """Return the predicted probability of each concept, by its name, by the picture's file name.

    These are the pictures that snapshots hold out, and their names there. Only such pairs count of
    which an import states something, people have answered or the truth is known: what is believed
    of others rests on the prediction itself.
    """
    concepts = snapshot_rows.concepts_of(project)
    beliefs = Beliefs(project, concepts)
    held_out = Image.objects.filter(
        images.visible(), snapshot_rows.in_split("test"), project=project, generated=False
    )
    pairs: dict[str, dict[str, float]] = {}
    for batch in batched(held_out.order_by("pk").iterator(chunk_size=BATCH), BATCH):
        of_images = _whole_tiles(batch)
        names = {image.pk: snapshot_rows.file_name(image) for image in batch}
        priors = beliefs.priors(of_images)
        spoken_of = ~np.isnan(priors.stated) | _answered(of_images, [each.pk for each in concepts])
        usable = spoken_of & np.isfinite(priors.predicted)
        for row, tile in enumerate(of_images):
            columns = np.flatnonzero(usable[row])
            pairs[names[tile.image]] = {
                concepts[column].name: round(float(priors.predicted[row, column]), 5)
                for column in columns
            }
    return {name: row for name, row in pairs.items() if row}


def _whole_tiles(batch: Sequence[Image]) -> list[TileFacts]:
    """Return the facts of the images' whole tiles, by the ids of the tiles."""
    return facts(Tile.objects.filter(image__in=batch, grid=1).values_list("pk", flat=True))


def _answered(tiles: Sequence[TileFacts], concepts: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Return (n, C): whether people have answered about the pair, or its truth is known."""
    known = Q(answers_count__gt=0) | Q(verdict__isnull=False)
    rows = Question.objects.filter(
        known, kind=Question.Kind.CONCEPT, tile__in=[each.tile for each in tiles]
    )
    by_tile: dict[int, set[int | None]] = defaultdict(set)
    for tile, concept in rows.order_by().values_list("tile", "concept"):
        by_tile[tile].add(concept)
    answered = [[concept in by_tile[each.tile] for concept in concepts] for each in tiles]
    return np.array(answered, bool).reshape(len(tiles), len(concepts))

"""A project of any size within minutes: rows copied in the database from one, for the benchmarks.

Its tiles share a few picture files. A calibrated model has predicted every pair of a tile and a
concept; some gold is stored, and the pools are filled by the product itself.
"""

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, models
from PIL import Image as Pillow
from safetensors.numpy import save_file
from scipy.special import expit

from labeling import features, pools, predictions, questions
from labeling.models import Concept, Image, Project, Question, Tile

GOLD = 200  # tiles of each concept
FILES = 20  # pictures that the tiles share
SIDE = 256  # pixels
PREVALENCE = 0.1


@dataclass(frozen=True)
class Truth:
    """What the tiles of a project really show."""

    tiles: npt.NDArray[np.int64]  # (T,) ids, ascending
    shown: dict[int, npt.NDArray[np.bool_]]  # by concept: (T,)

    def of(self, concept: int, tiles: list[int]) -> npt.NDArray[np.bool_]:
        """Return whether each of these tiles shows the concept."""
        return self.shown[concept][np.searchsorted(self.tiles, tiles)]


def make(slug: str, *, tiles: int, concepts: int) -> Truth:
    """Store a project with that many tiles, each of a picture of its own, and fill its pools."""
    project = Project.objects.create(state="open", slug=slug, name=slug)
    Concept.objects.bulk_create(
        Concept(project=project, name=f"thing {n}", phrase=f"a thing {n}", prevalence=PREVALENCE)
        for n in range(concepts)
    )
    _copy_images(project, tiles)
    truth = _predict(project)
    for number, concept in enumerate(project.concepts.order_by("pk")):
        _ask_gold(concept, truth, number)
    pools.fill_project(project)
    with connection.cursor() as cursor:
        for model in (Image, Tile, Concept, Question):  # not what is empty: plans are made for that
            cursor.execute(f"VACUUM ANALYZE {model._meta.db_table}")
    return truth


def _copy_images(project: Project, count: int) -> None:
    """Store images and their tiles as copies of a first one."""
    names = [_picture(number) for number in range(FILES)]
    first = Image.objects.create(
        project=project,
        sha256="0" * 64,
        source_sha256="0" * 64,
        perceptual_hash=0,
        file=names[0],
        source="noise 0.webp",
    )
    digest = "encode(sha256(convert_to(n::text, 'UTF8')), 'hex')"
    different = {
        "sha256": digest,
        "source_sha256": digest,
        "perceptual_hash": "n",
        "file": f"(%(names)s::text[])[1 + n %% {FILES}]",
        "random_key": "random()",
        "source": "'noise ' || n || '.webp'",
    }
    others = f"generate_series(1, {count - 1}) AS n"
    _copy(first, different, others, {"names": names})
    tile = Tile.objects.create(image=first, width=SIDE, height=SIDE)
    others = "labeling_image AS n WHERE n.project_id = %(project)s AND n.id <> %(first)s"
    _copy(tile, {"image_id": "n.id"}, others, {"project": project.pk, "first": first.pk})


def _copy(
    row: models.Model, different: Mapping[str, str], others: str, values: Mapping[str, Any]
) -> None:
    """Insert copies of a stored row, but for the columns that are given as SQL.

    others: SQL after CROSS JOIN: what is counted through, as `n`.
    """
    table = row._meta.db_table
    columns = [str(f.column) for f in row._meta.concrete_fields if not f.primary_key]
    selected = ", ".join(different.get(name, f'same."{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    same = f"(SELECT * FROM {table} WHERE id = %(row)s) AS same"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) SELECT {selected} FROM {same} CROSS JOIN {others}",
            {"row": row.pk, **values},
        )


def _picture(number: int) -> str:
    """Store a picture of noise; return its name."""
    file = io.BytesIO()
    noise = Pillow.effect_noise((SIDE // 4, SIDE // 4), 10 * number + 5).resize((SIDE, SIDE))
    noise.convert("RGB").save(file, "WEBP", quality=90)
    return default_storage.save(f"images/noise-{number}.webp", ContentFile(file.getvalue()))


def _predict(project: Project) -> Truth:
    """Store log-odds of all pairs; return a truth of which they are calibrated predictions."""
    tiles = Tile.objects.filter(image__project=project).order_by("pk")
    ids = np.fromiter(tiles.values_list("pk", flat=True).iterator(), np.int64)
    _store_features(project, ids)
    truth = Truth(ids, {})
    rng = np.random.default_rng(0)
    for concept in project.concepts.order_by("pk"):
        log_odds = rng.normal(-3.2, 2.5, len(ids)).astype(np.float16)
        concept.predictions = predictions.save(
            log_odds, concept=concept.pk, features=str(project.features.name)
        )
        concept.embedded_phrase = concept.phrase
        concept.save()
        truth.shown[concept.pk] = rng.random(len(ids)) < expit(log_odds.astype(np.float32))
    return truth


def _store_features(project: Project, tiles: npt.NDArray[np.int64]) -> None:
    nothing = np.zeros(0, np.int64)
    tensors = {"tiles": tiles, "concepts": nothing, "learned": nothing}
    embeddings = {"images": np.zeros((len(tiles), 1), np.float16)}
    embeddings["texts"] = np.zeros((0, 1), np.float16)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.safetensors"
        save_file(tensors | embeddings, path)
        project.features.name = features.save(path, project=project)
        project.save()


def _ask_gold(concept: Concept, truth: Truth, number: int) -> None:
    """Store a hundred gold tiles that show the concept and a hundred that do not, at most."""
    shown = truth.shown[concept.pk]
    rows = [np.flatnonzero(shown == v)[number :: len(truth.shown)][: GOLD // 2] for v in (0, 1)]
    tiles = Tile.objects.filter(pk__in=truth.tiles[np.concatenate(rows)].tolist())
    gold = {
        (pk, concept.pk): bool(truth.of(concept.pk, [pk])[0])
        for pk in tiles.values_list("pk", flat=True)
    }
    questions.ask_concepts(tiles=tiles, concepts=[concept], gold=gold)

"""Where labels and models come from, and what becomes of them: from any end of the loop.

A picture came with imports; people answered about it; snapshots hold it, and models were trained on
these. A model's folder keeps the hash of its snapshot (`snapshot_sha256`), so that one that was
carried away finds it here.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db.models import Q, QuerySet, Sum, prefetch_related_objects
from django.urls import reverse

from labeling import snapshot_folder, snapshot_rows, stored_folders
from labeling.imports import statements
from labeling.models import (
    Answer,
    Image,
    ImportStatement,
    Project,
    Question,
    RemovedImage,
    Snapshot,
)
from labeling.numbers import parse_id
from labeling.reissues import Dependent
from labeling.stored_folders import FolderMissing
from training.models import Model, Run

SHA256 = re.compile("[0-9a-f]{64}")
CONFIG_MAX = 16 * 2**20  # bytes of a model's config.json
SUFFIXES = (".webp", ".png", ".jpg", ".jpeg", ".gif")  # of pictures in snapshots
CONCEPTS = 50  # questions of a picture, at most, that are listed
State = Snapshot.State


class LineageError(ValueError):
    """Nothing is known of what was named; the message says what to do."""


@dataclass(frozen=True)
class OfSnapshots:
    """Snapshots of one hash, and the models that were trained on them."""

    sha256: str
    snapshots: list[Snapshot]
    models: list[Model]


@dataclass(frozen=True)
class OfPicture:
    """A picture, removed or not, with all that rests on it."""

    image: Image | RemovedImage
    statements: list[ImportStatement]
    questions: list[Question]
    answers: int
    newest_answer: Answer | None
    snapshots: list[Snapshot]
    models: list[Model]


def of_model_folder(folder: Path, projects: QuerySet[Project]) -> OfSnapshots:
    """Return the lineage of a model's folder, wherever it lies. Raises LineageError.

    projects: those in which it is looked for.
    """
    sha256 = snapshot_hash(folder)
    lineage = of_hash(sha256, projects)
    if not lineage.snapshots:
        raise LineageError(
            f"No snapshot here has the hash {sha256}, from which {folder} was trained: ask where "
            "that model was trained."
        )
    return lineage


def of_stored_folder(name: str, projects: QuerySet[Project]) -> OfSnapshots | None:
    """Return the lineage of what has that folder in the storage: a snapshot, run or model."""
    ran = Run.objects.filter(Q(folder=name) | Q(model__folder=name), project__in=projects)
    found = Q(folder=name) | Q(pk__in=ran.values("snapshot"))
    row = Snapshot.objects.filter(found, project__in=projects).first() if name else None
    return of_snapshot(row) if row else None


def snapshot_hash(folder: Path) -> str:
    """Return the hash of the snapshot that a model was trained on, of its folder or its run's.

    Raises LineageError.
    """
    for path in (folder / "model" / "config.json", folder / "config.json"):
        if path.is_file():
            return _hash_in(path)
    raise LineageError(f"{folder} is no model's folder: it has no config.json.")


def _hash_in(path: Path) -> str:
    try:
        if path.stat().st_size > CONFIG_MAX:
            raise LineageError(f"{path} is too large for a model's config.json.")
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise LineageError(f"{path} cannot be read as JSON.") from error
    value = config.get("snapshot_sha256") if isinstance(config, dict) else None
    if not isinstance(value, str) or not SHA256.fullmatch(value):
        raise LineageError(
            f"{path} names no snapshot: the model was trained on a folder that is none."
        )
    return value


def of_hash(sha256: str, projects: QuerySet[Project]) -> OfSnapshots:
    """Return the snapshots of a hash in some projects, and the models trained on them."""
    snapshots = Snapshot.objects.filter(sha256=sha256, state=State.READY, project__in=projects)
    rows = list(snapshots.select_related("project", "successor").order_by("pk"))
    return OfSnapshots(sha256, rows, models_of(rows))


def of_snapshot(snapshot: Snapshot) -> OfSnapshots:
    """Return a snapshot with the models that were trained on it."""
    return OfSnapshots(snapshot.sha256, [snapshot], models_of([snapshot]))


def models_of(snapshots: Iterable[Snapshot]) -> list[Model]:
    """Return the models that were trained on snapshots, or on others of the same hash."""
    rows = list(snapshots)
    same = Q(snapshot__in=[row.pk for row in rows])
    same |= Q(snapshot__sha256__in=[row.sha256 for row in rows if row.sha256])
    projects = {row.project_id for row in rows}
    runs = Run.objects.filter(same, project__in=projects)
    models = Model.objects.filter(run__in=runs).select_related("project", "run__snapshot")
    return list(models.order_by("-pk"))


def dependents(snapshots: Sequence[Snapshot]) -> Iterator[Dependent]:
    """Yield the models that were trained on snapshots, for `labeling.reissues`."""
    for model in models_of(snapshots):
        address = reverse("project-model", args=[model.project.slug, model.pk])
        yield Dependent(model.pk, str(model), address)


def of_picture(image: Image | RemovedImage, *, limit: int | None = None) -> OfPicture:
    """Return the lineage of a picture, one that was removed among them.

    limit: of the newest snapshots, so many alone are looked into.
    """
    snapshots = holding(image, limit=limit)
    is_there = isinstance(image, Image)
    asked = Question.objects.filter(tile__image=image.pk if is_there else 0)
    answers = (
        asked.aggregate(sum=Sum("answers_count"))["sum"] or 0 if is_there else image.answers  # type: ignore[union-attr]
    )
    given = Answer.objects.filter(question__tile__image=image.pk if is_there else 0)
    answered = asked.filter(answers_count__gt=0).select_related("concept")
    return OfPicture(
        image=image,
        statements=_statements(image) if isinstance(image, Image) else [],
        questions=list(answered.order_by("-answers_count", "pk")[:CONCEPTS]),
        answers=answers,
        newest_answer=given.order_by("-pk").first(),
        snapshots=snapshots,
        models=models_of(snapshots),
    )


def _statements(image: Image) -> list[ImportStatement]:
    """Return what imports state of a picture, each with its import."""
    rows = list(statements.of_image(image))
    prefetch_related_objects(rows, "imported_by", "text_source")
    return [row for row in rows if row.keywords or row.captions or row.class_keys or row.license]


def holding(image: Image | RemovedImage, *, limit: int | None = None) -> list[Snapshot]:
    """Return the snapshots whose folders hold a picture, the newest first; limit: as above."""
    number = image.pk if isinstance(image, Image) else image.image_id
    rows = Snapshot.objects.filter(
        project=image.project_id, state=State.READY, newest_image__gte=number
    )
    if image.generated:
        rows = rows.filter(include_generated=True)
    names = [f"{image.sha256[: snapshot_rows.STEM_LENGTH]}{suffix}" for suffix in SUFFIXES]
    candidates = rows.select_related("project", "successor").order_by("-pk")
    files = [f"{split}/{name}" for split in snapshot_folder.SPLITS for name in names]
    return [row for row in candidates[:limit] if _holds(row, files, image.sha256)]


def _holds(snapshot: Snapshot, files: Sequence[str], sha256: str) -> bool:
    try:
        return stored_folders.holds(snapshot.folder, files, sha256)
    except FolderMissing:
        return False


def find_pictures(name: str, projects: QuerySet[Project]) -> list[Image | RemovedImage]:
    """Return the pictures that somebody names: by path, hash, id, or a file with the same content.

    Those that were removed come last.
    """
    hashes = _hashes(name)
    named = Q(source=name) | Q(further_sources__contains=[name]) | Q(pk=parse_id(name))
    named |= Q(sha256__in=hashes) | Q(source_sha256__in=hashes)
    images = Image.objects.filter(named, project__in=projects).select_related("project")
    gone = Q(source=name) | Q(image_id=parse_id(name)) | Q(sha256__in=hashes)
    removed = RemovedImage.objects.filter(gone, project__in=projects).select_related("project")
    return [*images.order_by("pk"), *removed.order_by("pk")]


def _hashes(name: str) -> list[str]:
    if SHA256.fullmatch(name.lower()):
        return [name.lower()]
    path = Path(name)
    try:
        return [snapshot_folder.digest_of_file(path)] if path.is_file() else []
    except (OSError, ValueError):
        return []


def as_json(lineage: OfSnapshots | OfPicture) -> dict[str, Any]:
    """Return a lineage as JSON."""
    models = [_model(model) for model in lineage.models]
    snapshots = [_snapshot(snapshot) for snapshot in lineage.snapshots]
    if isinstance(lineage, OfSnapshots):
        return {"picture": None, "snapshots": snapshots, "models": models}
    return {"picture": _picture(lineage), "snapshots": snapshots, "models": models}


def _picture(lineage: OfPicture) -> dict[str, Any]:
    image = lineage.image
    removed = isinstance(image, RemovedImage)
    return {
        "id": image.image_id if isinstance(image, RemovedImage) else image.pk,
        "project": image.project.slug,
        "source": image.source,
        "sha256": image.sha256,
        "removed": removed,
        "reason": image.reason if isinstance(image, RemovedImage) else "",
        "license": "" if isinstance(image, RemovedImage) else image.license,
        "statements": [
            {
                "import": statement.imported_by_id,
                "path": statement.path,
                "keywords": [*statement.keywords, *statement.class_keys],
                "captions": statement.captions,
                "license": statement.license,
            }
            for statement in lineage.statements
        ],
        "answers": lineage.answers,
        "newest_answer": lineage.newest_answer.pk if lineage.newest_answer else None,
        "questions": [
            {
                "id": question.pk,
                "text": question.concept.name if question.concept else question.text,
                "answers": question.answers_count,
                "yes": question.yes_count,
                "probability": round(question.probability, 4),
            }
            for question in lineage.questions
        ],
    }


def _snapshot(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "id": snapshot.pk,
        "project": snapshot.project.slug,
        "sha256": snapshot.sha256,
        "created_at": snapshot.created_at.isoformat(),
        "warning": snapshot.warning,
        "successor": snapshot.successor_id,
        "made_from": snapshot.made_from,
    }


def _model(model: Model) -> dict[str, Any]:
    return {
        "id": model.pk,
        "project": model.project.slug,
        "recipe": model.recipe,
        "current": model.current,
        "run": model.run_id,
        "snapshot": model.run.snapshot_id,
    }

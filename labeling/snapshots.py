"""Labels → an immutable, hashed folder: what is exported and what is trained on.

The folder is a Hugging Face imagefolder: `train/` and `test/`, each with pictures and a
`metadata.jsonl`, beside a `manifest.json` with every file's SHA-256. An image shows what its
surest tile shows; a caption is kept where it is believed; doubt is written down, not cut off. What
was seen in parts of it alone is named in `in_part`, and is no keyword: it is not what the picture
is of.
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.utils import timezone

from labeling.models import Concept, Image, Project, Question, Snapshot

FORMAT = 1
TEST_SHARE = 0.05
BATCH = 500


class SnapshotError(ValueError):
    """A snapshot cannot be frozen or read; the sentence says why."""


@dataclass
class _Known:
    """What is believed of one image."""

    concepts: dict[str, float] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)  # concepts that were asked of all of it
    heard: set[str] = field(default_factory=set)  # those of which people said something
    captions: list[dict[str, Any]] = field(default_factory=list)
    answers: int = 0


def begin(
    *,
    project: Project,
    include_generated: bool = False,
    requested_by: AbstractBaseUser | None = None,
) -> Snapshot:
    """A snapshot that is still to be written, by `fill`."""
    return Snapshot.objects.create(
        project=project,
        include_generated=include_generated,
        requested_by_id=requested_by.pk if requested_by is not None else None,
    )


def fill(snapshot: Snapshot) -> Snapshot:
    """Write what is believed now into the snapshot's folder; a finished one is left as it is.

    Never raises for what is wrong with the data: the row's `state` is then "failed", with the
    reason in `error`, and no folder is left.
    """
    if snapshot.state != Snapshot.State.FREEZING:
        return snapshot
    draft = Path(settings.SNAPSHOT_ROOT) / f".draft-{snapshot.pk}"
    try:
        manifest = _write(draft, snapshot.project, snapshot.include_generated)
    except Exception as error:
        shutil.rmtree(draft, ignore_errors=True)
        _finish(snapshot, state=Snapshot.State.FAILED, error=str(error) or type(error).__name__)
        if isinstance(error, SnapshotError | OSError):
            return snapshot
        raise
    return _publish(snapshot, draft, manifest)


def freeze(
    *,
    project: Project,
    include_generated: bool = False,
    requested_by: AbstractBaseUser | None = None,
) -> Snapshot:
    """`begin` and `fill` in one: the same beliefs give the same hash and the same folder."""
    return fill(
        begin(project=project, include_generated=include_generated, requested_by=requested_by)
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a snapshot folder. Raises SnapshotError where there is none."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        if manifest["format"] != FORMAT:
            raise SnapshotError(f"{folder} has format {manifest['format']}, not {FORMAT}.")
    except (OSError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, SnapshotError):
            raise
        raise SnapshotError(f"{folder} is not a snapshot: no readable manifest.json.") from error
    return manifest


def read_rows(folder: Path, split: str) -> Iterator[dict[str, Any]]:
    """The rows of one split, in the order of their file names."""
    path = folder / split / "metadata.jsonl"
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def file_name(image: Image) -> str:
    """What an image's picture is called in every snapshot."""
    return f"{image.sha256[:16]}{Path(str(image.file.name)).suffix}"


def verify(folder: Path) -> dict[str, Any]:
    """Read every file again. Raises SnapshotError naming the first that is not as frozen."""
    manifest = read_manifest(folder)
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise SnapshotError(f"{folder} lacks {name}: freeze a new snapshot.")
        if _digest(path.read_bytes()) != digest:
            raise SnapshotError(f"{path} was changed after freezing: freeze a new snapshot.")
    return manifest


def _publish(snapshot: Snapshot, draft: Path, manifest: dict[str, Any]) -> Snapshot:
    same = Snapshot.objects.filter(
        project=snapshot.project, sha256=manifest["sha256"], state=Snapshot.State.READY
    ).first()
    if same and Path(same.folder, "manifest.json").is_file():
        shutil.rmtree(draft)
        folder = Path(same.folder)
    else:
        folder = draft.with_name(f"{snapshot.project.slug}-{snapshot.pk}-{manifest['sha256'][:8]}")
        draft.rename(folder)
    _finish(
        snapshot,
        state=Snapshot.State.READY,
        sha256=manifest["sha256"],
        folder=str(folder),
        counts=manifest["counts"],
    )
    return snapshot


def _finish(snapshot: Snapshot, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(snapshot, name, value)
    snapshot.save(update_fields=list(fields))


def _write(folder: Path, project: Project, include_generated: bool) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    with _one_moment():
        rows, files = _copy_pictures(folder, project, include_generated)
        concepts = sorted(Concept.objects.filter(project=project).values_list("name", flat=True))
    if not rows["train"] and not rows["test"]:
        raise SnapshotError(f"Project “{project}” has no pictures yet: import some first.")
    for split, its_rows in rows.items():
        if its_rows:
            path = folder / split / "metadata.jsonl"
            path.write_text("".join(_line(row) for row in its_rows), encoding="utf-8")
            files[f"{split}/metadata.jsonl"] = _digest(path.read_bytes())
    manifest = {
        "format": FORMAT,
        "project": project.slug,
        "created": timezone.now().isoformat(timespec="seconds"),
        "sha256": _digest("".join(f"{files[name]}  {name}\n" for name in sorted(files)).encode()),
        "options": {"include_generated": include_generated},
        "counts": _counts(rows),
        "concepts": concepts,
        "files": dict(sorted(files.items())),
    }
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    with path.open() as file:
        os.fsync(file.fileno())
    return manifest


def _copy_pictures(
    folder: Path, project: Project, include_generated: bool
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Copy each picture to its split. Returns the rows of each split and the files' hashes."""
    images = Image.objects.filter(project=project).select_related("near_duplicate_of", "project")
    if not include_generated:
        images = images.filter(generated=False)
    prevalence = dict(Concept.objects.filter(project=project).values_list("name", "prevalence"))
    rows: dict[str, list[dict[str, Any]]] = {"train": [], "test": []}
    pictures: dict[str, Image] = {}
    stream = images.order_by("id").iterator(chunk_size=BATCH)
    while batch := list(islice(stream, BATCH)):
        known = _known(batch)
        for image in batch:
            name = file_name(image)
            rows[_split(image)].append(_row(name, image, known[image.pk], prevalence))
            pictures[name] = image
    if not _alike(rows):  # `datasets` refuses splits whose columns are not filled alike
        rows = {"train": rows["train"] + rows["test"], "test": []}
    files: dict[str, str] = {}
    for split, its_rows in rows.items():
        its_rows.sort(key=lambda row: str(row["file_name"]))
        for row in its_rows:
            files[f"{split}/{row['file_name']}"] = _copy(
                pictures[row["file_name"]], folder / split / row["file_name"]
            )
    return rows, files


def _known(images: Iterable[Image]) -> dict[int, _Known]:
    known: dict[int, _Known] = defaultdict(_Known)
    questions = (
        Question.objects.filter(tile__image__in=images)
        .order_by("-probability", "id")
        .values_list(
            "tile__image_id",
            "kind",
            "concept__name",
            "text",
            "source",
            "probability",
            "answers_count",
            "verdict",
            "grid",
        )
    )
    for image_id, kind, concept, text, source, probability, answers, verdict, grid in questions:
        image = known[image_id]
        image.answers += answers
        if kind == Question.Kind.CONCEPT:  # the surest tile comes first
            image.concepts.setdefault(concept, round(probability, 4))
            if grid == 1:
                image.whole.add(concept)
            if answers or verdict is not None:
                image.heard.add(concept)
        elif probability >= 0.5 and grid == 1:
            image.captions.append(
                {"text": text, "confidence": round(probability, 4), "source": source}
            )
    return known


def _row(name: str, image: Image, known: _Known, prevalence: dict[str, float]) -> dict[str, Any]:
    imported = set(image.keywords) - known.heard  # an import's word holds until people speak
    concepts = {
        concept: round(image.project.import_confidence, 4)
        if concept in imported
        else known.concepts.get(concept, round(rarity, 4))
        for concept, rarity in sorted(prevalence.items())
    }
    shown = [concept for concept, p in concepts.items() if p >= 0.5]
    in_part = [c for c in shown if c not in known.whole | imported]
    tags = dict.fromkeys(
        chain(
            (keyword for keyword in image.keywords if concepts.get(keyword, 1.0) >= 0.5),
            (concept for concept in shown if concept not in in_part),
        )
    )
    return {
        "file_name": name,
        "text": known.captions[0]["text"] if known.captions else "",
        "tags": list(tags),
        "concepts": concepts,
        "in_part": ", ".join(in_part),
        "captions": known.captions,
        "n_answers": known.answers,
        "license": image.license,
        "source": image.source,
        "generated": image.generated,
        "width": image.width,
        "height": image.height,
    }


def _split(image: Image) -> str:
    """By content alone, so that it never changes; near-duplicates stay together."""
    original = image.near_duplicate_of or image
    return "test" if int(original.sha256[:8], 16) / 2**32 < TEST_SHARE else "train"


def _alike(rows: dict[str, list[dict[str, Any]]]) -> bool:
    def filled(split: str) -> list[bool]:
        return [any(row[column] for row in rows[split]) for column in ("tags", "captions")]

    return not rows["test"] or (bool(rows["train"]) and filled("train") == filled("test"))


def _copy(image: Image, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with default_storage.open(str(image.file.name), "rb") as file:
            data = file.read()
    except OSError as error:
        raise SnapshotError(
            f"The file of image {image.pk} ({image.source}) cannot be read: "
            "restore it, or delete the image."
        ) from error
    if _digest(data) != image.sha256:
        raise SnapshotError(
            f"The file of image {image.pk} ({image.source}) is not what was imported: "
            "restore it, or delete the image."
        )
    path.write_bytes(data)
    return image.sha256


def _counts(rows: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    every = rows["train"] + rows["test"]
    return {
        "train": len(rows["train"]),
        "test": len(rows["test"]),
        "images": len(every),
        "captions": sum(len(row["captions"]) for row in every),
        "answers": sum(row["n_answers"] for row in every),
        "generated": sum(row["generated"] for row in every),
    }


@contextlib.contextmanager
def _one_moment() -> Iterator[None]:
    """Everything read inside is of one moment, whatever people answer meanwhile."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

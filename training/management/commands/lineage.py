"""`lineage`: say where a model, a snapshot or a picture comes from, and what became of it."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling.imports.texts import shown
from labeling.models import Project, RemovedImage, Snapshot
from labeling.numbers import count, parse_id
from labeling.snapshot_folder import MANIFEST, SnapshotError, read_header
from training import lineage
from training.lineage import LineageError, OfPicture, OfSnapshots


class Command(BaseCommand):
    help = (
        "Say where a model comes from: the snapshot that it was trained on, and the answers and "
        "settings that made that; or of a picture or a snapshot, which models were trained on it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "name",
            metavar="MODEL_FOLDER|SNAPSHOT|PICTURE",
            help="a model's or snapshot's folder, a snapshot's number or hash, or a picture: the "
            "path that it was imported from, its hash, or a file with the same content",
        )
        parser.add_argument("--project", help="in which alone: its short name; default: in all")
        parser.add_argument("--picture", action="store_true", help="a number is a picture's")
        parser.add_argument("--json", action="store_true", help="as JSON")

    def handle(
        self, *, name: str, project: str | None, picture: bool, json: bool, **options: Any
    ) -> None:
        projects = Project.objects.all()
        if project is not None:
            projects = projects.filter(slug=project)
            if not projects.exists():
                raise CommandError(f"There is no project “{project}”.")
        try:
            found = list(_find(name, projects, picture=picture))
        except (LineageError, SnapshotError) as error:
            raise CommandError(str(error)) from error
        if not found:
            raise CommandError(
                f"{name} is no model's folder, no snapshot and no picture that is known here."
            )
        self.stdout.write(_as_json(found) if json else "\n\n".join(map(_in_words, found)))


def _find(name: str, projects: Any, *, picture: bool) -> Iterator[OfSnapshots | OfPicture]:
    """Yield the lineage of whatever has that name. Raises LineageError and SnapshotError."""
    path = Path(name)
    if path.is_dir() and not (path / MANIFEST).is_file():
        yield lineage.of_model_folder(path, projects)
        return
    if stored := lineage.of_stored_folder(name, projects):
        yield stored
        return
    if not picture and (snapshots := _snapshots(name, path, projects)):
        yield snapshots
        return
    for image in lineage.find_pictures(name, projects):
        yield lineage.of_picture(image)


def _snapshots(name: str, path: Path, projects: Any) -> OfSnapshots | None:
    """Return the snapshot of a folder, a number or a hash; None where it is none."""
    if path.is_dir():
        sha256 = str(read_header(path).get("sha256", ""))
        found = lineage.of_hash(sha256, projects)
        if not found.snapshots:
            raise LineageError(f"No snapshot here has the hash of {path}: {sha256}.")
        return found
    if number := parse_id(name):
        row = Snapshot.objects.filter(pk=number, project__in=projects).first()
        return lineage.of_snapshot(row) if row else None
    row = Snapshot.objects.filter(folder=name, project__in=projects).first()
    found = lineage.of_snapshot(row) if row else lineage.of_hash(name.lower(), projects)
    return found if found.snapshots else None


def _as_json(found: list[OfSnapshots | OfPicture]) -> str:
    return json.dumps([lineage.as_json(each) for each in found], indent=1, ensure_ascii=False)


def _in_words(found: OfSnapshots | OfPicture) -> str:
    lines = [] if isinstance(found, OfSnapshots) else list(_picture_in_words(found))
    for snapshot in found.snapshots:
        lines += _snapshot_in_words(snapshot)
    if isinstance(found, OfPicture) and not found.snapshots:
        lines.append("No snapshot holds it.")
    for model in found.models:
        current = ", the current one" if model.current else ""
        lines.append(
            f"{str(model).capitalize()} of {model.project} ({model.recipe}, run {model.run_id}, "
            f"trained on snapshot {model.run.snapshot_id}){current}"
        )
    if not found.models:
        lines.append("No model was trained on it.")
    return "\n".join(map(shown, lines))


def _picture_in_words(found: OfPicture) -> Iterator[str]:
    image = found.image
    yield f"Picture {image.source} of {image.project}, SHA-256 {image.sha256}"
    if isinstance(image, RemovedImage):
        yield f"It was removed on {image.created_at:%Y-%m-%d}: {image.reason}"
    for statement in found.statements:
        source = f"import {statement.imported_by_id}" if statement.imported_by_id else "no import"
        texts = [*statement.class_keys, *statement.keywords, *statement.captions]
        yield f"  {source} said: {', '.join(texts)}"
    newest = found.newest_answer
    until = f", the newest of {newest.created_at:%Y-%m-%d %H:%M} (id {newest.pk})" if newest else ""
    yield f"{count(found.answers, 'answer')}{until}"
    for question in found.questions:
        text = question.concept.name if question.concept else question.text
        yield (
            f"  question {question.pk}, {text}: {question.yes_count} of {question.answers_count} "
            f"yes, probability {question.probability:.2f}"
        )


def _snapshot_in_words(snapshot: Snapshot) -> Iterator[str]:
    yield f"Snapshot {snapshot.pk} of {snapshot.project}, SHA-256 {snapshot.sha256}"
    if answers := snapshot.made_from.get("answers"):
        until = f", the newest of {answers['until']} (id {answers['newest_id']})"
        yield f"  made from {answers['count']:,} answers{until if answers['until'] else ''}"
    if snapshot.warning:
        yield f"  {snapshot.warning}"
    if snapshot.successor_id:
        yield f"  issued again as snapshot {snapshot.successor_id}"

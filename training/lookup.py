"""Find snapshots and models by what a person types: a number, a folder, `latest`, `current`."""

from pathlib import Path

from django.db.models import Q

from labeling import snapshot_folder, snapshots, stored_folders
from labeling.models import Project, Snapshot
from labeling.numbers import parse_id
from labeling.stored_folders import FolderMissing, StorageAway
from training import generation_requests, generators, sources
from training.generation_requests import GenerationError, Kind
from training.models import Model
from training.runs import RunError


def find_snapshot(name: str, project: str | None) -> Snapshot:
    """Return a snapshot by its number, its folder, or `latest`. Raises ValueError."""
    if project is not None and not Project.objects.filter(slug=project).exists():
        raise RunError(f"There is no project {project!r}.")
    if name == "latest":
        return _latest_snapshot(project)
    number = parse_id(name)
    if number:
        snapshot = Snapshot.objects.filter(pk=number).first()
        if snapshot is None:
            raise RunError(f"There is no snapshot {number}.")
        return snapshot
    stored = Snapshot.objects.filter(folder=name, state=Snapshot.State.READY).first()
    return stored or _snapshot_in(Path(name).resolve())


def find_clip(name: str, project: Project) -> Model:
    """Return a project's CLIP by its number, or `current`. Raises RunError."""
    clips = Model.objects.filter(project=project, recipe="clip")
    chosen = clips.filter(current=True) if name == "current" else clips.filter(pk=parse_id(name))
    clip = chosen.first()
    if clip is None:
        raise RunError(f"{project} has no clip model {name!r}: train one, or leave --clip.")
    return clip


def find_generator_folder(name: str, project: str | None, recipe: str | None = None) -> Path:
    """Return the folder of a model that generates images by its number, its folder, or `current`.

    A folder needs no row. Raises GenerationError.
    """
    if name == "current":
        return _fetched(_current_generator(project, recipe))
    found = _find_model(name)
    if isinstance(found, Path):
        return found
    generation_requests.check_model(found, Kind.SAMPLES)
    return _fetched(found)


def find_model_folder(name: str) -> Path:
    """Return the folder of any model by its number or its folder. Raises GenerationError."""
    found = _find_model(name)
    return found if isinstance(found, Path) else _fetched(found)


def _find_model(name: str) -> Model | Path:
    """Return a model by its number or its name in the storage, or a folder, which needs no row."""
    path = Path(name)
    if (path / "config.json").is_file():
        return path.resolve()
    model = Model.objects.filter(Q(pk=parse_id(name)) | Q(folder=name)).first()
    if model is None:
        raise GenerationError(f"There is no model {name!r}, neither as a number nor as a folder.")
    return model


def _fetched(model: Model) -> Path:
    try:
        return sources.fetch(model)
    except (FolderMissing, StorageAway) as error:
        raise GenerationError(str(error)) from error


def _latest_snapshot(project: str | None) -> Snapshot:
    ready = Snapshot.objects.filter(state=Snapshot.State.READY).select_related("project")
    if project is not None:
        ready = ready.filter(project__slug=project)
    latest = ready.order_by("-created_at").first()
    if latest is None:
        raise RunError("There is no snapshot yet: run `snapshot --project P` first.")
    if project is None and ready.values("project").distinct().count() > 1:
        raise RunError("There are several projects: say whose with --project.")
    return latest


def _snapshot_in(folder: Path) -> Snapshot:
    """Return the row of a snapshot folder; one frozen elsewhere gets one, and is put in storage."""
    manifest = snapshot_folder.read_manifest(folder)
    project = Project.objects.filter(slug=manifest.get("project")).first()
    if project is None:
        raise RunError(
            f"{folder} belongs to the project {manifest.get('project')!r}, which is not here: "
            "make that project, or train without a database by `python -m training fit`."
        )
    sha256 = str(manifest.get("sha256", ""))[:64]
    known = Snapshot.objects.filter(project=project, sha256=sha256, state=Snapshot.State.READY)
    if same := known.first():
        return same
    manifest = snapshot_folder.verify(folder)
    name = f"{snapshots.FOLDER}/{project.slug}-{sha256}"
    try:
        stored_folders.put(folder, name, digests=manifest["files"])
    except StorageAway as error:
        raise RunError(str(error)) from error
    return Snapshot.objects.create(
        project=project,
        folder=name,
        sha256=sha256,
        counts=manifest.get("counts", {}),
        state=Snapshot.State.READY,
    )


def _current_generator(project: str | None, recipe: str | None) -> Model:
    """Return the current model of a project; where it has several, the first recipe's."""
    current = generators.all_models(generators.RECIPES).filter(current=True)
    if recipe is not None:
        current = current.filter(recipe=recipe)
    if project is not None:
        current = current.filter(project__slug=project)
    models = list(current)
    if len({model.project_id for model in models}) > 1:
        raise GenerationError("There are several projects: say whose with --project.")
    if not models:
        raise GenerationError(
            "There is no model that draws yet: train one, for example with the recipe diffusion."
        )
    return models[0]

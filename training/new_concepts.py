"""Predict the concepts that were added or renamed since the current CLIP predicted all others.

No picture is looked at again: the CLIP's features of all tiles are stored with the project.
"""

import tempfile
from pathlib import Path

import numpy as np
from django.core.cache import cache
from django.db.models import F, Q, QuerySet
from safetensors.numpy import load_file

from labeling import features, json_lines
from labeling.features import Features
from labeling.inference import intake
from labeling.models import Concept, Project
from training import processes, sources, tile_files
from training.models import Model

TIME_LIMIT = 3600.0  # seconds
RETRY_AFTER = 600  # seconds, where it failed


def due() -> list[Project]:
    """Return the projects with such concepts, whose features are by their current CLIP."""
    clips = Model.objects.filter(
        recipe="clip",
        current=True,
        feedback__has_key="predictions",
        project__state=Project.State.OPEN,
    ).exclude(project__features="")
    projects = [clip.project for clip in clips.select_related("project").order_by("project")]
    return [
        project
        for project in projects
        if not cache.get(_failure_key(project)) and _concepts(project).exists()
    ]


def predict(project: Project) -> int:
    """Predict a project's new concepts, and renew their pools; return how many there were.

    1. Have a child process embed their phrases and predict all tiles from the stored features.
    2. Store each concept's predictions and text embedding, unless it has changed meanwhile.
    3. Update its questions' priors, and renew its pools.

    What fails is tried again after RETRY_AFTER seconds. Raises ChildError, OSError or ValueError.
    """
    clip = Model.objects.filter(project=project, recipe="clip", current=True).first()
    concepts = list(_concepts(project))
    seen = features.load(project) if clip and concepts else None
    if clip is None or seen is None:
        cache.set(_failure_key(project), True, RETRY_AFTER)
        return 0
    try:
        return _predict(clip, concepts, seen)
    except Exception:
        cache.set(_failure_key(project), True, RETRY_AFTER)
        raise


def _concepts(project: Project) -> QuerySet[Concept]:
    new = Q(predictions="") | ~Q(embedded_phrase=F("phrase"))
    return project.concepts.filter(new, merged_into=None).order_by("pk")


def _predict(clip: Model, concepts: list[Concept], seen: Features) -> int:
    with tempfile.TemporaryDirectory(prefix="concepts-", dir=tile_files.work_folder()) as name:
        folder = Path(name)
        phrases = {concept.pk: concept.phrase for concept in concepts}
        json_lines.write(folder / "subjects.jsonl", tile_files.concept_lines(phrases))
        arguments = ["predict-concepts", str(sources.fetch(clip)), str(folder / "subjects.jsonl")]
        arguments += ["--features", str(seen.path), "--texts", str(folder / "texts.safetensors")]
        arguments += ["--log-odds", str(folder / "log_odds.npy")]
        processes.call(arguments, log=folder / "log.txt", time_limit=TIME_LIMIT)
        texts = load_file(folder / "texts.safetensors")["texts"]
        log_odds = np.load(folder / "log_odds.npy", mmap_mode="r")
        rows = zip(concepts, log_odds, texts, strict=True)
        return sum(
            intake.add(
                concept=concept,
                phrase=concept.phrase,
                features_name=seen.name,
                log_odds=of_concept,
                text=text,
            )
            for concept, of_concept, text in rows
        )


def _failure_key(project: Project) -> str:
    return f"new-concepts-failed:{project.pk}"

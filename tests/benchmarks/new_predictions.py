"""What a model's new predictions cost: priors of unanswered questions, and a recomputation.

    python tests/benchmarks/new_predictions.py [--questions 77204] [--answered 1]

Starts a PostgreSQL of its own and stores a project with so many questions about one concept, of
which a share has five answers each. A first recomputation counts them; then new predictions of all
pairs come in, and everything follows. Prints CPU seconds of the process and of the database, which
tell on a busy machine too; what a question is asked for is not part of it.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.benchmarks.import_on_two import database, database_seconds  # noqa: E402

ANNOTATORS = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=77_204)
    parser.add_argument("--answered", type=float, default=1.0, help="share of the questions")
    wanted = parser.parse_args()
    with database():
        from labeling.inference import priors, recompute
        from labeling.models import Project
        from tests.benchmarks.sharded_inference import make

        project = Project.objects.get(pk=make(wanted.questions, ANNOTATORS))
        forget_answers(1 - wanted.answered)
        print("| step | CPU s | CPU s of the database | s | questions |")
        print("|---|---:|---:|---:|---:|")
        step("recomputation after the answers", lambda: recompute.run(project=project))
        for number in (1, 2):
            predict(project, seed=number)
            step(
                f"predictions {number}: intake",
                lambda: priors.update_stale(project, answered=False),
            )
            step(f"predictions {number}: recomputation", lambda: recompute.run(project=project))


def forget_answers(share: float) -> None:
    """Delete the answers to a share of the questions."""
    from labeling.models import Answer, Question

    ids = list(Question.objects.order_by("pk").values_list("pk", flat=True))
    Answer.objects.filter(question__in=ids[: int(share * len(ids))])._raw_delete("default")


def predict(project: "object", *, seed: int) -> None:
    """Store a model's predictions of all pairs, which nobody has looked at yet."""
    from labeling import predictions
    from labeling.models import Concept, Project, Tile
    from tests.benchmarks.large_projects import _store_features

    current = Project.objects.get(pk=project.pk)  # type: ignore[attr-defined]
    tiles = Tile.objects.filter(image__project=current).order_by("pk")
    ids = np.fromiter(tiles.values_list("pk", flat=True).iterator(), np.int64)
    if not current.features.name:
        _store_features(current, ids)
    log_odds = np.random.default_rng(seed).normal(-2, 2, len(ids)).astype(np.float16)
    for concept in current.concepts.all():
        name = predictions.save(log_odds, concept=concept.pk, features=str(current.features.name))
        Concept.objects.filter(pk=concept.pk).update(predictions=name, priors_stale=True)


def step(name: str, work: Callable[[], int | None]) -> None:
    """Do something that returns how many questions it changed; print what it cost."""
    began = time.process_time(), database_seconds(), time.perf_counter()
    changed = work()
    ended = time.process_time(), database_seconds(), time.perf_counter()
    cells = " | ".join(f"{after - before:.1f}" for before, after in zip(began, ended, strict=True))
    print(f"| {name} | {cells} | {changed or 0:,} |", flush=True)


if __name__ == "__main__":
    main()

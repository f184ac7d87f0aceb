"""What a recomputation costs: reading, inferring and writing, by one worker and shared by more.

    python tests/benchmarks/sharded_inference.py [--questions 200000] [--workers 1 2]
    python tests/benchmarks/sharded_inference.py --inference 1000000 10000000 [--annotators 1000]

The first starts a PostgreSQL of its own, stores a project with five answers a question, and
recomputes it by one worker process and by several, which share the writing. Prints the CPU seconds
of the workers and of the database by step, the seconds, and whether the results are the same.

The second infers from simulated answers in memory, in a process of its own for each number: CPU
seconds and the memory beyond the answers, and what the sums of an iteration weigh that shards would
send to each other. CPU seconds tell on a busy machine too; for seconds, leave it idle.
"""

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
from tests.benchmarks.import_on_two import database, database_seconds  # noqa: E402

PER_QUESTION = 5
PREVALENCE = 0.3
STATES = 5  # of a question: yes, no, and three splits
ANSWERS = """
INSERT INTO labeling_answer (question_id, annotator_id, value, weight, reason, created_at)
SELECT q.id, a.id, (q.id %% 10 < 3) <> (random() > 0.7 + 0.25 * (a.id %% 7) / 7), 1, 'wanted', now()
FROM labeling_question AS q CROSS JOIN generate_series(0, %s) AS n
JOIN labeling_annotator AS a ON a.id = %s + (q.id * 7919 + n * n) %% %s
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=200_000)
    parser.add_argument("--annotators", type=int, default=1_000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--inference", type=int, nargs="*", metavar="ANSWERS", default=[])
    parser.add_argument("--work", metavar="JSON", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.work:
        work(json.loads(wanted.work))
    elif wanted.inference:
        infer_all(wanted.inference, wanted.annotators)
    else:
        with database() as folder:
            recompute_all(folder, wanted)


def infer_all(sizes: list[int], annotators: int) -> None:
    """Infer from so many answers in memory; print what each takes."""
    sums = annotators * STATES * 2 * 8 / 1e6
    print(f"{annotators:,} annotators: the sums of an iteration are {sums:,.1f} MB a shard.\n")
    print("| answers | CPU s | µs an answer | MiB beyond the answers |\n|---:|---:|---:|---:|")
    context = multiprocessing.get_context("spawn")
    for size in sizes:
        process = context.Process(target=infer, args=(size, annotators))
        process.start()
        process.join()


def infer(size: int, annotators: int) -> None:
    """Infer once, and print a row."""
    from labeling.aggregation import binary

    draw = np.random.default_rng(0)
    questions = size // PER_QUESTION
    truth = draw.random(questions) < PREVALENCE
    question = np.repeat(np.arange(questions), PER_QUESTION)
    start = np.repeat(draw.integers(annotators, size=questions), PER_QUESTION)
    annotator = (start + np.tile(np.arange(PER_QUESTION) ** 2, questions)) % annotators
    skill = draw.beta(8, 2, annotators)
    value = truth[question] ^ (draw.random(len(question)) >= skill[annotator])
    order = draw.permutation(len(question))
    gold = draw.random(questions) < 1 / 200
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    binary.infer(
        question[order],
        annotator[order],
        value[order],
        prior=np.full(questions, PREVALENCE),
        verdict=np.where(gold, truth, -1).astype(np.int8),
        gold=gold,
        suspect=np.zeros(len(question), bool),
        annotators=annotators,
    )
    seconds = time.process_time() - started
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"| {size:,} | {seconds:.1f} | {seconds / size * 1e6:.1f} | {memory:,.0f} |", flush=True)


def recompute_all(folder: Path, wanted: argparse.Namespace) -> None:
    """Recompute a project by so many workers, each time from the same state."""
    project = make(wanted.questions, wanted.annotators)
    answers = wanted.questions * PER_QUESTION
    print(f"{answers:,} answers by {wanted.annotators:,} to {wanted.questions:,} questions\n")
    print("| workers | step | seconds | CPU s of the leader | CPU s of the database |")
    print("|---:|---|---:|---:|---:|", flush=True)
    results = []
    for count in wanted.workers:
        if results:
            forget(project)
        processes = [worker(project, number, count, folder) for number in range(count)]
        reports = [report_of(process) for process in processes]
        for step, *cells in reports[0]["steps"]:
            print(f"| {count} | {step} | {' | '.join(f'{cell:.1f}' for cell in cells)} |")
        for number, report in enumerate(reports[1:], 1):
            joined = f"worker {number}, {report['shares']} shares"
            print(f"| {count} | {joined} | | {report['own']:.1f} | |")
        results.append(result(project))
    same = all(each == results[0] for each in results)
    print(f"\nThe results are {'the same' if same else 'NOT THE SAME'}.")


def make(count: int, annotators: int) -> int:
    """Store a project with so many answered questions; return its id."""
    from django.db import connection

    from labeling import questions
    from labeling.models import Annotator, Answer, Concept, Project, Question, Tile
    from tests.benchmarks.large_projects import _copy, _copy_images

    project = Project.objects.create(state="open", slug="large", name="Large")
    concept = Concept.objects.create(
        project=project, name="duck", phrase="a duck", prevalence=PREVALENCE
    )
    _copy_images(project, count)
    first, *_ = Tile.objects.order_by("pk")[:1]
    questions.ask_concepts(tiles=[first], concepts=[concept])
    question = Question.objects.get(project=project)
    others = "labeling_tile AS n WHERE n.id <> %(first)s"
    different = {"tile_id": "n.id", "random_key": "random()", "slice_key": "random()"}
    _copy(question, different, others, {"first": first.pk})
    rows = [Annotator(pseudonym=f"a{number}") for number in range(annotators)]
    base = Annotator.objects.bulk_create(rows)[0].pk
    with connection.cursor() as cursor:
        cursor.execute(ANSWERS, [PER_QUESTION - 1, base, annotators])
        for model in (Annotator, Answer, Question, Tile):
            cursor.execute(f"VACUUM ANALYZE {model._meta.db_table}")
    return project.pk


def forget(project: int) -> None:
    """Bring questions and annotators to where no answer was counted yet."""
    from django.db import connection
    from django.db.models import F

    from labeling.models import Annotator, Project, Question, Recomputation, SuspectSpell

    Recomputation.objects.all().delete()
    Project.objects.filter(pk=project).update(aggregated_to=0)
    Question.objects.filter(project=project).update(
        probability=F("prior"), answers_count=0, yes_count=0, answers_weight=0, state="open"
    )
    SuspectSpell.objects.all().delete()
    counts = dict.fromkeys(Annotator.COUNTS, 0)
    Annotator.objects.update(**counts, answers_count=0, suspect_since=None, drift_score=0)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE labeling_question")


def worker(project: int, number: int, count: int, folder: Path) -> "subprocess.Popen[str]":
    """Start a worker; the first one leads."""
    values = {"project": project, "number": number, "count": count}
    return subprocess.Popen(
        [sys.executable, __file__, "--work", json.dumps(values)],
        env=os.environ | {"SECRET_KEY": "of a benchmark", "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def report_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Return what a worker reports at its end."""
    out, _ = process.communicate()
    if process.returncode:
        sys.exit("A worker failed.")
    report: dict[str, Any] = json.loads(out.splitlines()[-1])
    return report


def work(values: dict[str, Any]) -> None:
    """Lead a recomputation, or take part in one; print what it took."""
    import django

    django.setup()
    from labeling.inference import shares
    from labeling.models import Recomputation, RecomputationShare

    project = values["project"]
    if values["number"] == 0:
        print(json.dumps({"steps": lead(project, alone=values["count"] == 1)}))
        return
    while not RecomputationShare.objects.exists():
        time.sleep(0.1)
    started, written = time.process_time(), 0
    while Recomputation.objects.filter(pk=project, finished_at=None).exists():
        written += shares.take_part(project)
        time.sleep(0.1)
    print(json.dumps({"shares": written, "own": time.process_time() - started}))


def lead(project: int, *, alone: bool) -> list[tuple[str, float, float, float]]:
    """Recompute; return the seconds, own and the database's CPU seconds of each step."""
    from labeling import quality
    from labeling.inference import annotators, posteriors, recompute, shares
    from labeling.models import Project

    steps: list[tuple[str, float, float, float]] = []

    def timed(module: Any, name: str, step: str) -> None:
        plain = getattr(module, name)

        def call(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter(), time.process_time(), database_seconds()
            result = plain(*arguments, **options)
            ended = time.perf_counter(), time.process_time(), database_seconds()
            steps.append((step, *(e - b for b, e in zip(began, ended, strict=True))))
            return result

        setattr(module, name, call)

    timed(posteriors, "read", "reading")
    timed(posteriors.weights, "infer", "weights")
    timed(posteriors, "_infer", "inference")
    timed(posteriors, "_fit_tempering", "tempering")
    timed(shares, "write", "writing questions")
    timed(annotators, "update_accuracies", "writing annotators")
    timed(quality, "measure", "measuring quality")
    on_shared = None if alone else lambda: None
    recompute.run(project=Project.objects.get(pk=project), on_shared=on_shared)
    return steps


def result(project: int) -> list[tuple[Any, ...]]:
    """Return what was written of the questions."""
    from labeling.models import Question

    rows = Question.objects.filter(project=project).order_by("pk")
    return list(rows.values_list("pk", "probability", "state", "answers_count", "priority"))


if __name__ == "__main__":
    main()

"""Seconds from asking for four pictures to seeing them, over HTTP, cold and warm.

    python tests/benchmarks/drawing_speed.py MODEL_OR_SNAPSHOT… [--recipes gan] [--times 5]

A model folder is measured as it is. A snapshot folder is first trained on, for a few steps of the
`cpu` preset at 32 pixels: what a picture costs does not depend on how good it is. Starts servers,
a web process and a worker that draws, as the demo does, in a temporary folder. Cold: the worker
has drawn nothing yet. Warm: after that, another prompt and seed each time; the median and the
longest. Beside a run: the same while a process for each core computes at a run's priority.
Prints a table in Markdown.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "benchmarks")]
from training.engine.presets import PRESETS  # noqa: E402

RECIPES = [name for name in PRESETS if name not in ("clip", "lora")]  # lora needs a base model
SHORT = {"steps": 20, "checkpoint_steps": 20, "grid_steps": 0, "judge_steps": 0, "samples": 1}
PROMPTS = ("a red apple", "a frog", "a tree", "a blue bus", "a cat", "a clock", "a house", "")
LOOK = 0.05  # seconds between two looks; the page looks every 0.4
PATIENCE = 120.0
HEADER = (
    "| recipe | pixels | kind | cold (s) | warm: median, longest (s) | beside a run (s) |\n"
    "|---|---|---|---|---|---|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="MODEL_OR_SNAPSHOT")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--times", type=int, default=5)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tessera-bench-") as data_dir:
        os.environ |= {"DATA_DIR": data_dir, "DJANGO_SETTINGS_MODULE": "config.settings"}
        os.environ.pop("DATABASE_URL", None)
        os.environ.pop("CELERY_BROKER_URL", None)
        models = [
            model.resolve()
            for folder in wanted.folders
            for model in _models(folder.resolve(), wanted.recipes, Path(data_dir))
        ]
        from config import servers

        with servers.ensure(Path(data_dir)):
            _prepare()
            print(HEADER, flush=True)
            for folder in models:
                measure(folder, wanted.times)


def _models(folder: Path, recipes: list[str], work: Path) -> Iterator[Path]:
    """Yield the model folder, or briefly trained models of a snapshot folder."""
    if not (folder / "manifest.json").is_file():
        yield folder
        return
    for recipe in recipes:
        run = work / f"run-{recipe}"
        run.mkdir()
        options = {**SHORT, "size": 32, "prompts": ["a frog"]}
        config = {"recipe": recipe, "preset": "cpu", "snapshot": str(folder), "options": options}
        (run / "config.json").write_text(json.dumps({**config, "cache": str(work / "cache")}))
        command = [sys.executable, "-m", "training", "fit", str(run)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)
        yield run / "model"


def _prepare() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def measure(folder: Path, times: int) -> None:
    """Print a row for each kind of generation that the model supports."""
    import django.db

    about = json.loads((folder / "config.json").read_text())
    model = _make_model(folder, about["recipe"])
    django.db.connection.close()
    size = about["network"].get("size", "–")
    kinds: list[dict[str, Any]] = [{"kind": "samples", "count": 4}]
    kinds.append({"kind": "interpolation", "count": 8, "second_prompt": "a cat", "second_seed": 99})
    if about["network"].get("one_call_steps"):
        kinds.append({"kind": "samples", "count": 4, "draft": True})
    for kind in kinds:
        with ExitStack() as stack:
            port = stack.enter_context(_web())
            stack.enter_context(_drawer())
            cold = _seconds(port, model, 0, kind)
            warm = [_seconds(port, model, n + 1, kind) for n in range(times)]
            stack.enter_context(_busy())
            beside = [_seconds(port, model, n + 50, kind) for n in range(times)]
        print(
            f"| {about['recipe']} | {size} | {_words(kind)} | {cold:.1f} "
            f"| {statistics.median(warm):.2f}, {max(warm):.2f} "
            f"| {statistics.median(beside):.2f}, {max(beside):.2f} |",
            flush=True,
        )


def _words(kind: dict[str, Any]) -> str:
    what = "a draft" if kind.get("draft") else kind["kind"]
    return f"{what}, {kind['count']}"


def _make_model(folder: Path, recipe: str) -> int:
    from labeling import stored_folders
    from labeling.models import Project
    from training import run_folders
    from training.models import Model, Run

    known = {"name": "Benchmark", "state": Project.State.OPEN}
    project, _ = Project.objects.get_or_create(slug="bench", defaults=known)
    Model.objects.filter(project=project, recipe=recipe).update(current=False)
    run = Run.objects.create(project=project, recipe=recipe, preset="cpu")
    name = run_folders.model_name_of(run)
    stored_folders.put(folder, name)
    model = Model.objects.create(project=project, run=run, recipe=recipe, folder=name, current=True)
    return int(model.pk)


def _web() -> Any:
    from challenges_over_http import processes

    @contextmanager
    def web() -> Iterator[int]:
        with processes(worker=False) as (port, _):
            yield port

    return web()


@contextmanager
def _drawer() -> Iterator[None]:
    """Run a worker for generations as the demo does; yield once it is ready."""
    command = [sys.executable, "-m", "celery", "-A", "config.celery", "worker", "-l", "INFO"]
    command += ["--without-gossip", "--without-mingle", "-Q", "draw", "-P", "solo"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            for _ in range(600):
                time.sleep(0.1)
                log.seek(0)
                if b" ready." in log.read():
                    break
            yield
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def _busy() -> Iterator[None]:
    """Keep every core busy by processes of a training run's priority."""
    context = multiprocessing.get_context("spawn")
    spinning = [context.Process(target=_spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for process in spinning:
        process.start()
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.join()


def _spin() -> None:
    import numpy as np

    os.nice(10)
    matrix = np.random.default_rng(0).normal(size=(256, 256))
    while True:
        matrix = matrix @ matrix / 256


def _seconds(port: int, model: int, number: int, kind: dict[str, Any]) -> float:
    """From the request to the last picture's bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    request = {"model": model, "prompt": PROMPTS[number % len(PROMPTS)], "seed": number, **kind}
    start = time.perf_counter()
    drawing = _call(connection, "POST", "/api/v1/generations/", request)
    while drawing["state"] in ("queued", "running"):
        if time.perf_counter() - start > PATIENCE:
            sys.exit(f"Nothing was drawn in {PATIENCE:.0f} seconds.")
        time.sleep(LOOK)
        drawing = _call(connection, "GET", f"/api/v1/generations/{drawing['id']}/")
    if drawing["state"] != "succeeded":
        sys.exit(f"It was not drawn: {drawing['error']}")
    for picture in drawing["samples"]:
        connection.request("GET", picture["url"])
        connection.getresponse().read()
    took = time.perf_counter() - start
    connection.close()
    time.sleep(2.1)  # no more than thirty a minute
    return took


def _call(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> Any:
    sent = json.dumps(body) if body is not None else None
    connection.request(method, path, sent, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    if response.status >= 400:
        sys.exit(f"{response.status}: {answer}")
    return answer


if __name__ == "__main__":
    main()

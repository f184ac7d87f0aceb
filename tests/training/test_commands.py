"""`train` and `generate`: what they do, and how they refuse."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config import servers
from labeling import stored_folders
from labeling.models import Project, Question, Snapshot
from tests.waiting import wait_until
from training import zero_shot
from training.models import Model, Run

ROOT = Path(__file__).resolve().parents[2]


def train(*arguments: str) -> str:
    out = io.StringIO()
    call_command("train", *arguments, stdout=out)
    return out.getvalue()


def generate(*arguments: str) -> str:
    out = io.StringIO()
    call_command("generate", *arguments, stdout=out)
    return out.getvalue()


def test_a_clip_run_shows_its_progress_and_its_predictions_move_the_open_questions(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zero_shot, "is_awaited", lambda project: False)  # there is no encoder
    quick = ("--option", "steps=4", "--option", "checkpoint_steps=4")
    output = train("latest", "--recipe", "clip", "--preset", "smoke", *quick, "--wait")
    run = Run.objects.get()
    assert run.state == Run.State.SUCCEEDED and run.trigger == Run.Trigger.COMMAND
    folder = stored_folders.fetch(f"{run.folder}/model")
    assert "step" in output and f"Run {run.pk} succeeded: {folder}" in output
    pairs = 24 * 2  # stored or not
    captions = Question.objects.filter(kind=Question.Kind.CAPTION, state=Question.State.OPEN)
    assert f"{pairs + captions.count()} predictions" in output
    assert "It is the current model now" in output
    asked = Question.objects.filter(state=Question.State.OPEN)
    assert not asked.filter(model_probability=None).exists()


def test_without_wait_the_run_is_left_to_a_worker(snapshot: Snapshot) -> None:
    output = train(str(snapshot.pk), "--recipe", "diffusion", "--preset", "smoke")
    assert Run.objects.get().state == Run.State.QUEUED and "a worker takes it up" in output


def test_options_are_passed_on_and_the_runs_own_process_checks_their_values(
    snapshot: Snapshot,
) -> None:
    options = ["--option", "steps=9", "--option", "base=/models/sd15"]
    train("latest", "--recipe", "lora", "--preset", "smoke", *options)
    assert Run.objects.get().options == {"steps": 9, "base": "/models/sd15"}
    with pytest.raises(CommandError, match="steps must be a whole number"):
        train("latest", "--recipe", "clip", "--option", "steps=many", "--wait", "--anyway")
    assert Run.objects.latest("pk").state == Run.State.FAILED


def test_an_option_that_the_recipe_does_not_have_is_refused_at_once(snapshot: Snapshot) -> None:
    with pytest.raises(CommandError, match="The recipe clip has no option 'colour': use"):
        train("latest", "--recipe", "clip", "--option", "colour=red")
    assert not Run.objects.exists()


def test_a_snapshot_is_found_by_its_folder_even_if_it_was_frozen_elsewhere(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    train(snapshot.folder, "--recipe", "clip", "--anyway")
    assert Run.objects.get().snapshot == snapshot
    shutil.copytree(stored_folders.fetch(snapshot.folder), tmp_path / "copy")
    train(str(tmp_path / "copy"), "--recipe", "clip", "--anyway")
    assert {run.snapshot for run in Run.objects.all()} == {snapshot}
    Run.objects.all().delete()
    Snapshot.objects.all().delete()
    train(str(tmp_path / "copy"), "--recipe", "clip", "--anyway")
    taken_in = Run.objects.get().snapshot
    assert taken_in and taken_in.sha256 == snapshot.sha256
    assert stored_folders.exists(taken_in.folder)


def test_a_snapshot_of_an_unknown_project_is_refused(snapshot: Snapshot, tmp_path: Path) -> None:
    shutil.copytree(stored_folders.fetch(snapshot.folder), tmp_path / "copy")
    Snapshot.objects.all().delete()
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_text())
    (tmp_path / "copy" / "manifest.json").write_text(json.dumps(manifest | {"project": "moon"}))
    with pytest.raises(CommandError, match="'moon', which is not here"):
        train(str(tmp_path / "copy"), "--recipe", "clip")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["latest", "--recipe", "clip"], "There is no snapshot yet"),
        (["latest", "--recipe", "clip", "--project", "moon"], "There is no project 'moon'"),
        (["17", "--recipe", "clip"], "There is no snapshot 17"),
        (["9" * 40, "--recipe", "clip"], "is not a snapshot"),
        (["/nowhere", "--recipe", "clip"], "/nowhere is not a snapshot"),
        (["latest"], "--recipe"),
        (["latest", "--recipe", "clip", "--seed", "many"], "--seed: invalid int"),
    ],
)
def test_train_says_what_is_wrong(db: None, arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        train(*arguments)
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "alchemy"], "no recipe 'alchemy': use clip"),
        (["--recipe", "gan", "--preset", "huge"], "no preset 'huge'"),
        (["--recipe", "clip", "--option", "steps"], "'steps' is no option: write name=value"),
        (["--recipe", "clip", "--option", "Steps=1"], "'Steps' is no name of an option"),
        (["--recipe", "gan", "--clip", "current"], "has no clip model 'current'"),
        (["--recipe", "gan", "--clip", "77"], "has no clip model '77'"),
    ],
)
def test_a_wrong_request_is_refused(
    bare_snapshot: Snapshot, arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        train("latest", *arguments)
    assert not Run.objects.exists()


def test_several_projects_are_told_apart(snapshot: Snapshot) -> None:
    other = Project.objects.create(state="open", slug="other", name="Other")
    Snapshot.objects.create(project=other, folder="snapshots/x", state=Snapshot.State.READY)
    with pytest.raises(CommandError, match="say whose with --project"):
        train("latest", "--recipe", "clip")
    train("latest", "--recipe", "clip", "--project", "shapes", "--anyway")
    assert Run.objects.get().snapshot == snapshot


def manage(*words: str, **environment: str) -> subprocess.Popen[str]:
    """A command in a process of its own, on the tests' database."""
    url = servers.database_url(servers.data_dir(), name=connection.settings_dict["NAME"])
    return subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )


def heed_ctrl_c() -> None:
    """As at a terminal: a shell that runs the tests in its background has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.django_db(transaction=True)
def test_a_run_is_kept_for_the_sweep_where_no_broker_answers(bare_snapshot: Snapshot) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    process = manage("train", "latest", "--recipe", "clip", "--anyway", CELERY_BROKER_URL=nowhere)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "is queued" in out, errors
    assert "No worker was woken" in errors and "Traceback" not in errors
    assert Run.objects.get().state == Run.State.QUEUED


@pytest.mark.django_db(transaction=True)
def test_ctrl_c_cancels_cleanly(snapshot: Snapshot) -> None:
    process = manage("train", "latest", "--recipe", "clip", "--preset", "smoke", "--wait")
    acquired = Run.objects.filter(attempts=1)
    wait_until(lambda: acquired.exists() or process.poll() is not None)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    run = Run.objects.get()
    assert run.state == Run.State.CANCELLED and process.returncode == 1
    assert f"Run {run.pk} was cancelled" in errors and "Traceback" not in errors


@pytest.fixture
def clip_model(snapshot: Snapshot) -> Model:
    run = Run.objects.create(project=snapshot.project, snapshot=snapshot, recipe="clip")
    return Model.objects.create(
        project=snapshot.project, run=run, recipe="clip", folder="runs/gone/model"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["current", "an apple"], "no model that draws yet"),
        (["12", "an apple"], "There is no model '12'"),
        (["/nowhere", "an apple"], "There is no model '/nowhere'"),
        (["current", "a" * 501], "at most 500 characters"),
        (["current", "two\nlines"], "one line"),
        (["current", "--count", "0"], "From 1 to 16"),
        (["current", "--seed", "-1"], "seed must be from 0"),
        (["current", "--guidance", "nan"], "Guidance must be from 0"),
        (["current", "--guidance", "much"], "--guidance: invalid float"),
    ],
)
def test_generate_says_what_is_wrong(
    db: None, tmp_path: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        generate(*arguments, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_clip_model_draws_nothing(clip_model: Model, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="draws no pictures"):
        generate(str(clip_model.pk), "an apple", "--out", str(tmp_path / "out"))


def test_generate_overwrites_nothing_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"recipe": "nonsense"}')
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    model = str(tmp_path / "model")
    with pytest.raises(CommandError, match="is not empty: name a new folder"):
        generate(model, "an apple", "--out", str(tmp_path / "full"))
    with pytest.raises(CommandError, match="is not a model folder"):
        generate(model, "an apple", "--out", str(tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "model"]

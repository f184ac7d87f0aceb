import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from config import servers
from tests.config.demo import ROOT, processes_of

COUNT = "from labeling.models import Project; print(Project.objects.count())"
WITHOUT_DATABASE = [
    "help",
    "migrate --help",
    "check",
    "makemigrations --check",
    "collectstatic --no-input -v 0",
    "import_imagse",
]
ONE_AFTER_ANOTHER = """
import os, sys
from config.command import main
for words in sys.argv[1:]:
    sys.argv = ["manage.py", *words.split()]
    try:
        main()
    except SystemExit:
        pass
    if "postgresql" in os.listdir(os.environ["DATA_DIR"]):
        sys.exit(f"{words} started a database.")
"""


def _start(data_dir: Path, *words: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(data_dir: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    process = _start(data_dir, *words, **environment)
    output, errors = process.communicate()
    return process.returncode, output, errors


def _database_without_tables() -> str:
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS without_tables")
        cursor.execute("CREATE DATABASE without_tables")
    return servers.database_url(servers.data_dir(), name="without_tables")


def test_first_commands_at_once_set_the_database_up_and_say_in_a_sentence_why_one_fails(
    tmp_path: Path,
) -> None:
    data_dir, pictures = tmp_path / "data", str(tmp_path / "nothing")
    fails = _start(data_dir, "import_images", pictures, "--project", "birds")
    output, errors = _start(data_dir, "shell", "-v", "0", "-c", COUNT).communicate()
    assert output.strip() == "0", errors
    _, errors = fails.communicate()
    assert fails.returncode == 1
    assert f"There is no {pictures}" in errors
    assert "Traceback" not in errors
    assert processes_of(data_dir) == []


@pytest.mark.parametrize("command", ["version", "diffsettings"])
def test_a_command_whose_output_nobody_reads_ends_quietly(tmp_path: Path, command: str) -> None:
    """`version` writes as it ends, and `diffsettings` what no buffer holds."""
    with _start(tmp_path, command) as process:
        assert process.stdout and process.stderr
        process.stdout.close()
        errors = process.stderr.read()
    assert (errors, process.returncode) == ("", 1)


@pytest.mark.django_db(transaction=True)
def test_with_a_database_of_ones_own_a_command_names_the_one_to_run_first(tmp_path: Path) -> None:
    url = _database_without_tables()
    code, _, errors = _run(tmp_path, "shell", "-c", COUNT, DATABASE_URL=url)
    assert code == 1
    assert errors.startswith("Error: ")
    assert "run `tessera migrate` first" in errors
    assert "Traceback" not in errors
    code, output, errors = _run(tmp_path, "showmigrations", "--plan", DATABASE_URL=url)
    assert (code, "[ ]  labeling.0001_initial" in output) == (0, True), errors


def test_a_database_that_cannot_be_reached_gives_a_sentence(tmp_path: Path) -> None:
    url = f"postgresql:///tessera?host={tmp_path}"
    code, _, errors = _run(tmp_path / "data", "migrate", DATABASE_URL=url)
    assert code == 1
    assert errors.startswith("Error: The database cannot be reached")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("HTTPS", "perhaps", "HTTPS must be 1 or 0, not 'perhaps'."),
        ("PORT", "none", "PORT must be a whole number from 1 to 65535, not 'none'."),
        (
            "DATABASE_URL",
            "postgresql://ada:12/34@db.example.org/tessera",
            "DATABASE_URL cannot be read: it is postgresql://USER:PASSWORD@HOST:5432/NAME, with"
            " special characters of the password written as %40 and the like.",
        ),
    ],
)
def test_a_setting_that_cannot_be_read_gives_a_sentence(
    tmp_path: Path, variable: str, value: str, sentence: str
) -> None:
    code, _, errors = _run(tmp_path, "demo", **{variable: value})
    assert (code, errors) == (78, f"Error: {sentence}\n")


def test_metrics_without_a_folder_give_a_sentence() -> None:
    given = {"SECRET_KEY": "0" * 40, "METRICS_TOKEN": "0" * 16}
    code, _, errors = _run(Path("/proc/nothing"), "check", **given)
    assert (code, errors.count("\n")) == (78, 1)
    assert errors.startswith("Error: Metrics cannot be counted in /proc/nothing/metrics/")


def test_a_data_folder_is_private_with_servers_of_ones_own_too(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    (data_dir / "media").mkdir(parents=True)
    data_dir.chmod(0o755)
    own = {
        "DATABASE_URL": "postgresql:///",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": "x",
    }
    code, _, errors = _run(data_dir, "check", **own)
    assert code == 0, errors
    assert data_dir.stat().st_mode & 0o777 == 0o700


def test_what_needs_no_database_starts_none(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", ONE_AFTER_ANOTHER, *WITHOUT_DATABASE],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stderr

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_make_says_in_a_sentence_that_python_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/environment", "Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    for number in range(11, 15):
        (tmp_path / f"python3.{number}").symlink_to("/bin/false")
    (tmp_path / "python3").symlink_to("/bin/false")
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [str(tmp_path / "scripts" / "environment")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Python 3.11 or newer with its venv module is needed" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    wanted += project["build-system"]["requires"]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    locks = ("requirements.lock", "requirements-torch.lock")
    lines = "\n".join((ROOT / name).read_text() for name in locks).splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    names = {re.split(r"[\[<>=]", each)[0].lower().replace("_", "-") for each in wanted}
    assert not names - pinned, "Run .venv/bin/python scripts/lock.py."


def test_every_file_is_pinned_by_its_hash() -> None:
    for name in ("requirements.lock", "requirements-torch.lock"):
        entries = re.split(r"^(?=\S)", (ROOT / name).read_text(), flags=re.MULTILINE)
        assert not [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry]

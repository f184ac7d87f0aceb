"""What `pip install` of the wheel installs: all that runs, and nothing else."""

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import labeling

ROOT = Path(__file__).resolve().parents[2]
BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=ROOT, check=True)
    (path,) = folder.iterdir()
    assert path.name == f"tessera_labeling-{labeling.__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


def test_what_browsers_load_and_what_is_translated_lies_in_it(wheel: zipfile.ZipFile) -> None:
    files = [path for path in (ROOT / "frontend").rglob("*") if path.is_file()]
    files += (ROOT / "locale").glob("*/LC_MESSAGES/*.mo")
    wanted = {f"config/{path.relative_to(ROOT)}" for path in files}
    assert len(wanted) > 200
    assert not wanted - set(wheel.namelist())


def test_all_modules_and_data_of_the_packages_lie_in_it(wheel: zipfile.ZipFile) -> None:
    listed = ["git", "ls-files", "config", "labeling", "training"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    names = set(wheel.namelist())
    assert not {name for name in done.stdout.split("\n") if name and (ROOT / name).exists()} - names
    assert {f"{name}/py.typed" for name in ("config", "labeling", "training")} <= names


def test_nothing_else_lies_in_it(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    folders = {name.partition("/")[0] for name in names}
    about = f"tessera_labeling-{labeling.__version__}.dist-info"
    assert folders == {"config", "labeling", "training", about}
    assert not [name for name in names if "node_modules" in name or name.endswith((".pyc", ".po"))]


def test_it_brings_the_command_and_says_what_it_needs(wheel: zipfile.ZipFile) -> None:
    about = f"tessera_labeling-{labeling.__version__}.dist-info"
    entry_points = wheel.read(f"{about}/entry_points.txt").decode()
    assert "tessera = config.command:main" in entry_points
    metadata = Parser().parsestr(wheel.read(f"{about}/METADATA").decode())
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert {"embedded", "s3", "lora"} <= set(metadata.get_all("Provides-Extra", []))
    needed = metadata.get_all("Requires-Dist", [])
    (torch,) = [each for each in needed if each.startswith("torch")]
    assert "==" not in torch
    assert f"{about}/licenses/LICENSE" in wheel.namelist()

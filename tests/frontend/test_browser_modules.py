"""The modules that know no DOM, in Node's own test runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = sorted(Path(__file__).parent.glob("js/*.test.mjs"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_module_passes_its_tests(path):
    node = shutil.which("node")
    assert node, "Install Node.js to test the browser's modules."
    done = subprocess.run(
        [node, "--no-warnings", "--test", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""Runs that torchrun starts as several processes."""

import json
import subprocess
import sys
from pathlib import Path

from tests.training.conftest import RunMaker
from tests.training.runs import ROOT

DUEL = """
import torch
from tests.training.test_loop import CONFIG, Line
from training import distributed
from training.loop import Loop

distributed.join()
line = Line()
if distributed.rank():
    line.network.weight.data.fill_(9.0)
distributed.share(line.network)
loop = Loop(line, CONFIG, seed=0)
for _ in range(3):
    loop.advance()
weights = [round(p.item(), 9) for p in line.network.parameters()]
print("says", line.counts, weights, round(loop.loss, 9))
distributed.leave(together=True)
"""


def torchrun(*arguments: str) -> str:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    ended = subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_processes_see_different_pictures_and_keep_the_same_weights(tmp_path: Path) -> None:
    script = tmp_path / "duel.py"
    script.write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{DUEL}")
    said = [line for line in torchrun(str(script)).splitlines() if line.startswith("says")]
    (first, own), (second, other) = (line.rsplit(" ", 1) for line in said)
    assert first == second
    assert "[5, 5, 5]" in first
    assert own != other  # losses: of their own halves of the batch


def test_two_processes_make_one_model(make_run: RunMaker) -> None:
    folder = make_run()
    torchrun("-m", "training", "fit", str(folder))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["steps"] == 60
    assert (folder / "model" / "config.json").exists()
    lines = (folder / "progress.jsonl").read_text().splitlines()
    stages = [json.loads(line)["stage"] for line in lines]
    assert list(dict.fromkeys(stages)) == ["prepare", "train", "evaluate", "done"]

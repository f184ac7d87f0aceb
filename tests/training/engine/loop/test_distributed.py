"""Runs that torchrun starts as several processes."""

import json
import subprocess
import sys
from pathlib import Path

from tests.training.engine.conftest import RunMaker
from tests.training.engine.runs import ROOT

DUEL = """
import json
from pathlib import Path
from tests.training.engine.loop.test_loop import CONFIG, Line
from training.engine.loop import distributed
from training.engine.loop.loop import Loop

distributed.join()
line = Line()
if distributed.rank():
    line.network.weight.data.fill_(9.0)
distributed.share(line.network)
loop = Loop(line, CONFIG, seed=0)
for _ in range(3):
    loop.advance()
weights = [p.item() for p in line.network.parameters()]
said = {"counts": line.counts, "weights": weights, "loss": loop.loss}
Path(sys.argv[1], f"{distributed.rank()}.json").write_text(json.dumps(said))
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
    torchrun(str(script), str(tmp_path))
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["weights"] == second["weights"]
    assert first["counts"] == second["counts"] == [5, 5, 5]
    assert first["loss"] != second["loss"]  # of their own halves of the batch


def test_two_processes_make_one_model(make_run: RunMaker) -> None:
    folder = make_run()
    torchrun("-m", "training", "fit", str(folder))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["steps"] == 60
    assert (folder / "model" / "config.json").exists()
    lines = (folder / "progress.jsonl").read_text().splitlines()
    stages = [json.loads(line)["stage"] for line in lines]
    assert list(dict.fromkeys(stages)) == ["prepare", "train", "evaluate", "done"]

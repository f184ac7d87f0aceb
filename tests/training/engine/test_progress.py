"""A run folder that somebody wrote into by hand harms nobody who reads it."""

import json
from pathlib import Path

from training.engine import progress


def test_numbers_that_no_database_takes_are_left_out_or_cut(tmp_path: Path) -> None:
    line = {"step": 10**12, "steps": -3, "loss": 10**400, "seconds_left": float("inf"), "stage": 1}
    (tmp_path / "progress.jsonl").write_text(json.dumps(line) + "\n")
    assert progress.latest(tmp_path) == {"step": 2**31 - 1, "steps": 0, "seconds_left": None}

"""What a training process prints is in the worker's log, line by line."""

import json
import logging
from pathlib import Path

import pytest

from config import logs
from training import output
from training.output import Output


def test_whole_lines_are_repeated_and_the_last_one_at_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "training.output")
    log = tmp_path / "log.txt"
    log.write_text("of an earlier attempt\n")
    printed = Output(log, of="Run 7")
    with log.open("a") as file:
        file.write("step 1\n\nstep 2\nste")
    printed.repeat()
    printed.repeat()
    assert caplog.messages == ["Run 7: step 1", "Run 7: step 2"]
    printed.repeat(ended=True)
    assert caplog.messages[2:] == ["Run 7: ste"]
    assert json.loads(logs.JSONFormatter().format(caplog.records[0]))["message"] == "Run 7: step 1"


def test_of_very_much_only_some_is_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "training.output")
    monkeypatch.setattr(output, "BYTES", 16)
    log = tmp_path / "log.txt"
    printed = Output(log, of="Run 7")
    log.write_text("first\n" + "much\n" * 1_000)
    printed.repeat()
    assert caplog.messages[0] == "Run 7: first"
    assert caplog.messages[-1] == f"Run 7: {output.LEFT_OUT}"
    with log.open("a") as file:
        file.write("last\n")
    printed.repeat()
    assert caplog.messages[-1] == "Run 7: last"
    assert len(caplog.messages) == 5


def test_a_log_that_is_not_there_is_none(tmp_path: Path) -> None:
    Output(tmp_path / "log.txt", of="Run 7").repeat(ended=True)

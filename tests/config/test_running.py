"""What `serve`, `worker` and `beat` say while they run."""

from contextlib import nullcontext

import pytest

from config.management import interrupts, running


@pytest.mark.parametrize("format", ["line", "json"])
def test_what_is_said_is_a_record_where_the_log_is_for_programs(
    monkeypatch, settings, caplog, format
):
    def watch(supervisor, client, write):
        write("It died.")
        raise interrupts.Interrupted

    settings.LOG_FORMAT = format
    monkeypatch.setattr(running, "_servers", lambda: nullcontext(None))
    monkeypatch.setattr(running.start, "check", lambda role: None)
    monkeypatch.setattr(running, "watch", watch)
    monkeypatch.setattr(interrupts, "raise_on_signals", lambda: None)
    monkeypatch.setattr(interrupts, "ignore_signals", lambda: None)
    written: list[str] = []
    caplog.set_level("INFO")
    running.run([], role="web", grace=1, ready="Serving.", write=written.append)
    said = ["Serving.", "It died."]
    assert written == (said if format == "line" else [])
    assert [r.message for r in caplog.records] == (said if format == "json" else [])

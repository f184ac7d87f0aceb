"""A worker begins where web processes have its code and its key; a web process tells of others."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.checks import Error
from django.db.models.functions import Now
from django.utils import timezone

from config import start
from config.checks.processes import check_processes
from config.monitoring import identity
from labeling.models import Heartbeat

pytestmark = pytest.mark.django_db(transaction=True)


def another(kind: str = "web", **differences: str) -> Heartbeat:
    """Let a process live elsewhere, which differs in this from one of here."""
    values: dict[str, Any] = {**identity.own(), **differences}
    return Heartbeat.objects.create(**{"name": f"{kind}-7@other"} | values, kind=kind, at=Now())


def said(role: str) -> list[tuple[str, bool]]:
    """Return what is said, and whether the process may begin all the same."""
    return [(each.msg, each.level < Error("").level) for each in check_processes(role)]


def test_the_same_code_elsewhere_is_nothing_to_speak_of() -> None:
    another()
    assert said("worker") == said("web") == []


@pytest.mark.parametrize(
    ("differences", "sentence"),
    [
        ({"version": "99.0"}, "and web-7@other of 99.0: install 99.0 here, too."),
        ({"migrations": "others"}, "install the same code on all machines"),
        ({"key": "another"}, "SECRET_KEY is another one here than at web-7@other: set the same"),
    ],
)
def test_a_worker_waits_for_web_processes_like_it(
    differences: dict[str, str], sentence: str
) -> None:
    another(**differences)
    ((worker, may_work),), ((web, may_serve),) = said("worker"), said("web")
    assert worker == web and sentence in worker
    assert (may_work, may_serve) == (False, True)


def test_a_worker_that_is_newer_begins_before_the_last_web_process_is_replaced() -> None:
    another(version="0.0.9")
    ((sentence, may_work),) = said("worker")
    assert "install 0.1.0 there, too" in sentence.replace(identity.own()["version"], "0.1.0")
    assert may_work


def test_many_that_differ_alike_are_one_sentence() -> None:
    for number in range(3):
        another(name=f"web-{number}@other", key="another")
    ((sentence, _),) = said("worker")
    assert "web-0@other" in sentence


def test_workers_do_not_wait_for_each_other() -> None:
    another(kind="worker", version="99.0")
    assert said("worker") == []
    assert len(said("web")) == 1


def test_who_is_silent_does_not_count() -> None:
    row = another(version="99.0")
    Heartbeat.objects.filter(pk=row.pk).update(at=timezone.now() - timedelta(minutes=2))
    assert said("worker") == []


def test_a_worker_ends_with_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    another(version="99.0")
    with pytest.raises(SystemExit) as end:
        start.check("worker")
    assert end.value.code == start.NOT_NOW
    assert capsys.readouterr().err.startswith("Error: This process is of version")

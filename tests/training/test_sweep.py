"""The periodic sweep: what it finds, and that no failure stops the rest of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from training import feedback, generation_requests, generations, promotion, runs, tasks

if TYPE_CHECKING:
    from training.models import Model


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[object]]:
    """What was enqueued, by task."""
    sent: dict[str, list[object]] = {"train": [], "generate": [], "follow_up": []}

    def enqueue(task: object, *arguments: object, queue: str = "") -> None:
        sent[str(task.name).rpartition(".")[2]].extend(arguments)  # type: ignore[attr-defined]

    monkeypatch.setattr(tasks, "enqueue_on_commit", enqueue)
    return sent


def fail() -> None:
    raise RuntimeError("its rows are broken")


@pytest.mark.parametrize(
    ("module", "function", "lost"),
    [
        (runs, "sweep", "train"),
        (generations, "sweep", "generate"),
        (promotion, "due", "follow_up"),
        (feedback, "due", None),  # in which there is nothing yet
    ],
)
def test_one_failure_stops_nothing_else(
    model: Model,
    enqueued: dict[str, list[object]],
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    function: str,
    lost: str | None,
) -> None:
    generation = generation_requests.create(model=model, prompt="x")
    monkeypatch.setattr(module, function, fail)
    tasks.recover()
    tasks.sweep()
    every = {"train": [model.run_id], "generate": [str(generation.pk)], "follow_up": [model.pk]}
    assert enqueued == {name: [] if name == lost else found for name, found in every.items()}


def test_a_model_that_cannot_be_looked_at_keeps_no_other_waiting(
    model: Model, completing: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_due = promotion.is_due

    def fail_for_one(candidate: Model) -> bool:
        if candidate == completing:
            raise PermissionError("its folder cannot be entered")
        return is_due(candidate)

    monkeypatch.setattr(promotion, "is_due", fail_for_one)
    assert list(promotion.due()) == [model]

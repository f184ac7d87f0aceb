"""What workers do for training, and when: the broker only wakes them, the rows say what is due."""

import logging
from typing import Any, Unpack

from celery import shared_task
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser

from labeling.enqueue import enqueue_on_commit
from training import feedback, generations, machine_lock, promotion, retraining, runner, runs
from training.models import Generation, Model, Run

WOKEN_AT_ONCE = 4

logger = logging.getLogger(__name__)


def start(**wish: Unpack[runs.Wish]) -> Run:
    """Queue a run and wake a worker. Raises runs.RunError."""
    run = runs.create(**wish)
    enqueue_on_commit(train, run.pk)
    return run


def resume(*, run: Run) -> None:
    """Queue an ended run again and wake a worker. Raises runs.RunError."""
    runs.resume(run=run)
    enqueue_on_commit(train, run.pk)


def promote(*, model: Model, by: AbstractBaseUser) -> None:
    """Make any model the current one of its recipe; a worker does what is due of it."""
    promotion.promote(model, by=by)
    enqueue_on_commit(follow_up, model.pk)


def follow(model: Model) -> None:
    """What is due of a model, here and now: the gate's word, and what it gives back to the loop."""
    if promotion.is_due(model):
        promotion.review(model)
    if feedback.is_due(model):
        feedback.give(model)


def start_drawing(**wish: Any) -> Generation:
    """Queue a wish for pictures and wake a worker. Raises drawing.DrawingError."""
    generation = generations.request(**wish)
    enqueue_on_commit(draw, str(generation.pk))
    return generation


@shared_task
def train(run_id: int) -> None:
    """Carry out one run, if it is still queued and this machine is idle."""
    with machine_lock.alone() as alone:
        if not alone or runs.older_is_queued(run_id=run_id):
            return
        run = runs.claim(run_id=run_id)
        model = runner.execute(run) if run else None
        if model:
            follow(model)
    wake_queued()


@shared_task
def follow_up(model_id: int) -> None:
    """What a worker that died after a run left undone, and what is due once more."""
    with machine_lock.alone() as alone:
        model = Model.objects.filter(pk=model_id).first() if alone else None
        if model:
            follow(model)


@shared_task
def draw(generation_id: str) -> None:
    generations.draw(generation_id=generation_id)


@shared_task
def sweep() -> None:
    """Take up again what died, and what no worker was woken for."""
    runs.sweep()
    wake_queued()
    for generation_id in generations.sweep():
        enqueue_on_commit(draw, str(generation_id))
    for model_id in sorted({model.pk for model in [*promotion.due(), *feedback.due()]}):
        enqueue_on_commit(follow_up, model_id)


@shared_task
def retrain_due() -> None:
    """Freeze and train where enough new labels have come in."""
    with machine_lock.alone("retraining") as alone:
        if alone:
            for project in retraining.due():
                for recipe in ("clip", "diffusion"):
                    start(
                        project=project,
                        recipe=recipe,
                        preset=settings.RETRAIN_PRESET,
                        trigger=Run.Trigger.SCHEDULE,
                    )


def wake_queued() -> None:
    queued = Run.objects.filter(state=Run.State.QUEUED).order_by("pk")
    for run_id in queued.values_list("pk", flat=True)[:WOKEN_AT_ONCE]:
        enqueue_on_commit(train, run_id)

"""Celery tasks of training, and the functions that enqueue them.

The rows say what is due; a task only wakes a worker sooner than the next sweep would.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Unpack

from celery import shared_task
from django.contrib.auth.models import AbstractBaseUser

from labeling import lease
from labeling.enqueue import enqueue_on_commit
from labeling.models import LeaseLost, Project
from labeling.stored_folders import FolderMissing, StorageAway
from training import (
    delays,
    devices,
    feedback,
    generation_drafts,
    generation_requests,
    generations,
    machine_lock,
    new_concepts,
    prediction_shares,
    promotion,
    retraining,
    run_requests,
    runner,
    runs,
    side_by_side,
    workers,
    zero_shot,
)
from training.engine import presets
from training.generation_requests import GenerationRequest
from training.models import Generation, Model, Promotion, Run
from training.prediction_shares import Prediction
from training.processes import ChildError
from training.run_requests import RunRequest

RUNS_ENQUEUED = 4  # of those that are queued: more workers than that are rarely idle
WOKEN = 8  # workers that are called to a prediction
SWEEP_SECONDS = 20.0  # until the next sweep calls them again
ZERO_SHOT = "zero-shot"  # what one process of a machine is at

logger = logging.getLogger(__name__)


def start_run(**request: Unpack[RunRequest]) -> Run:
    """Queue a run and wake a worker. Raises runs.RunError."""
    run = run_requests.create(**request)
    _enqueue_run(run)
    return run


def resume_run(*, run: Run, by: AbstractBaseUser | None = None) -> None:
    """Queue an ended run again and wake a worker. Raises runs.RunError."""
    runs.resume(run=run, by=by)
    _enqueue_run(run)


def start_generation(**request: Unpack[GenerationRequest]) -> Generation:
    """Queue a request for samples and wake a worker. Raises generation_requests.GenerationError."""
    generation = generation_requests.create(**request)
    enqueue_on_commit(generate, str(generation.pk))
    return generation


def start_comparison(
    *, comparison: side_by_side.Comparison, by: AbstractBaseUser
) -> list[Generation]:
    """Request what two models have not drawn yet, and wake workers.

    Raises generation_requests.GenerationError.
    """
    requested = side_by_side.request(comparison, by=by)
    for generation in requested:
        enqueue_on_commit(generate, str(generation.pk))
    return requested


def promote(
    *, model: Model, by: AbstractBaseUser, reason: str, seen: int | None = None
) -> Promotion:
    """Make a model the current one of its recipe; a worker does what follows from that.

    Raises promotion.PromotionError.
    """
    row = promotion.promote(model, by=by, reason=reason, seen=seen)
    _follow_change(row)
    return row


def demote(*, model: Model, by: AbstractBaseUser, reason: str) -> Promotion:
    """Take the current model back; a worker does what follows from that.

    Raises promotion.PromotionError.
    """
    row = promotion.demote(model, by=by, reason=reason)
    _follow_change(row)
    return row


def undo_promotion(*, change: Promotion, by: AbstractBaseUser, reason: str) -> Promotion:
    """Undo the last change of the current model; a worker does what follows from that.

    Raises promotion.PromotionError.
    """
    row = promotion.undo(change, by=by, reason=reason)
    _follow_change(row)
    return row


def _follow_change(change: Promotion) -> None:
    if change.model:
        enqueue_on_commit(follow_up, change.model.pk)
    if change.replaced:
        enqueue_on_commit(take_back, change.project_id)


def follow_up_now(model: Model) -> None:
    """Review a model and give its feedback to the loop, as far as each is due.

    Where somebody else is at it, do nothing. What has to wait stays due.
    """
    held = Model.objects.all().acquire(model.pk)
    if held is None:
        return
    try:
        with lease.kept(held):
            if promotion.is_due(held):
                promotion.review(held)
            if feedback.is_due(held):
                feedback.give(held, partial(_wake_lookers, Prediction(held.project, held)))
    except delays.DelayedError as error:
        logger.warning("What follows from %s waits: %s", held, error)
        delays.put_off(held, error)
    except BaseException:
        with suppress(LeaseLost):
            held.release()
        raise
    else:
        held.release(delay_reason="")


@shared_task
def train(run_id: int) -> None:
    """Execute a run, unless it is no longer queued, not the next, or all devices are taken."""
    with devices.acquire() as device:
        if device is None or runs.another_is_next(run_id=run_id):
            return
        run = runs.acquire(run_id=run_id)
        try:
            model = runner.execute(run) if run else None
        except runner.DatabaseLostError as error:
            logger.error("Run %s lost the database; the sweep queues it again. %s", run_id, error)
            return
        if model:
            follow_up_now(model)
    enqueue_queued_runs()


@shared_task
def follow_up(model_id: int) -> None:
    """Do for a model what a lost worker left undone, or what has become due again."""
    with devices.acquire() as device:
        model = Model.objects.filter(pk=model_id).first() if device else None
        if model:
            follow_up_now(model)


@shared_task
def take_back(project_id: int) -> None:
    """Take back what models gave the loop that are no longer current or accepted."""
    with lease.named(f"take back {project_id}") as held:
        project = Project.objects.filter(pk=project_id).first() if held else None
        if project:
            feedback.take_back(project)


@shared_task
def generate(generation_id: str) -> None:
    """Execute a request for samples, unless another worker has it."""
    generations.execute(generation_id=generation_id)


@shared_task
def predict_new_concepts(project_id: int) -> None:
    """Predict the concepts that a project's CLIP does not know yet, unless somebody is at it."""
    with _alone("new concepts", project_id) as held:
        project = Project.objects.filter(pk=project_id).first() if held else None
        if project:
            new_concepts.predict(project)


@shared_task
def predict_zero_shot(project_id: int) -> None:
    """Predict a project without a CLIP by the frozen encoders, unless somebody is at it."""
    with _alone(ZERO_SHOT, project_id) as held:
        project = Project.objects.filter(pk=project_id).first() if held else None
        if project:
            zero_shot.predict(project, partial(_wake_lookers, Prediction(project, None)))


@shared_task
def look_at_share(project_id: int, model_id: int | None) -> None:
    """Look at a share of a project's tiles for whoever predicts it, and call the next worker.

    Unless this machine is busy with another, or a run waits that a worker of this queue may take.
    """
    project = Project.objects.filter(pk=project_id).first()
    model = None
    if model_id is not None:
        model = Model.objects.select_related("run").filter(pk=model_id).first()
    if project is None or (model is None and model_id is not None):
        return
    prediction = Prediction(project, model)
    if runs.any_waits(wants_gpu=_wants_gpu(prediction)):
        return
    with _room_for(prediction) as held:
        try:
            goes_on = held and prediction_shares.look_at_next(prediction)
        except (ChildError, FolderMissing, StorageAway, OSError) as error:  # the leader looks at it
            logger.warning("A share of the prediction of %s failed here: %s", project, error)
            return
    if goes_on:
        _wake_lookers(prediction, min(1, prediction.undone.free().count()))


@shared_task
def recover() -> None:
    """Enqueue the runs and the requests for samples that lost their worker, or were given none."""
    with _isolated("Sweeping up runs"):
        runs.sweep()
        enqueue_queued_runs()
    with _isolated("Sweeping up generations"):
        for generation_id in generations.sweep():
            enqueue_on_commit(generate, str(generation_id))


@shared_task
def sweep() -> None:
    """Enqueue what follows from models and was left undone, and what has become due."""
    with _isolated("Sweeping up drafts"):
        generation_drafts.sweep()
    due: set[int] = set()
    for models_due in (promotion.due, feedback.due):
        with _isolated("Sweeping up models"):
            due |= {model.pk for model in models_due()}
    for model_id in sorted(due):
        enqueue_on_commit(follow_up, model_id)
    with _isolated("Sweeping up what is taken back"):
        for project in feedback.to_take_back():
            enqueue_on_commit(take_back, project.pk)
    with _isolated("Sweeping up new concepts"):
        for project in new_concepts.due():
            enqueue_on_commit(predict_new_concepts, project.pk)
    with _isolated("Sweeping up shares of predictions"):
        prediction_shares.forget_unneeded()
        for prediction, free in prediction_shares.unfinished():
            _wake_lookers(prediction, free)
    with _isolated("Sweeping up zero-shot predictions"):
        for project in zero_shot.due():
            enqueue_on_commit(predict_zero_shot, project.pk)


@shared_task
def retrain_due() -> None:
    """Start the runs of every project in which enough new labels have come in."""
    with lease.named("retraining") as held:
        if not held:
            return
        for project in retraining.due():
            with _isolated(f"Retraining {project}"):
                for request in retraining.requests(project):
                    start_run(**request)


def enqueue_queued_runs() -> None:
    """Wake workers for the next queued runs."""
    due = runs.queue().free()
    for wanting in (runs.WANTS_GPU, ~runs.WANTS_GPU):
        for run in due.filter(wanting)[:RUNS_ENQUEUED]:
            _enqueue_run(run)


def _enqueue_run(run: Run) -> None:
    """Wake a worker for a run; of one that wants a GPU, a worker that has one."""
    wants_gpu = presets.wants_gpu(run.recipe, run.preset)
    enqueue_on_commit(train, run.pk, queue=workers.GPU if wants_gpu else "")


def _wake_lookers(prediction: Prediction, free: int) -> None:
    """Wake workers for as many shares of a prediction, those with a GPU where its CLIP wants one.

    Messages that nobody takes soon are sent again by the sweep.
    """
    model = prediction.model
    for _ in range(min(WOKEN, free)):
        enqueue_on_commit(
            look_at_share,
            prediction.project.pk,
            model.pk if model else None,
            queue=workers.GPU if _wants_gpu(prediction) else "",
            expires=SWEEP_SECONDS,
        )


def _wants_gpu(prediction: Prediction) -> bool:
    run = prediction.model.run if prediction.model else None
    return run is not None and presets.wants_gpu(run.recipe, run.preset)


@contextmanager
def _room_for(prediction: Prediction) -> Iterator[bool]:
    """Yield whether this machine may look at pictures: a CLIP takes a device for itself."""
    if prediction.model:
        with devices.acquire() as device:
            yield device is not None
    else:
        with machine_lock.acquire(ZERO_SHOT) as held:
            yield held


@contextmanager
def _alone(purpose: str, project_id: int) -> Iterator[bool]:
    """Yield whether nobody else does this for a project, nor for any other on this machine."""
    with machine_lock.acquire(purpose) as here, ExitStack() as stack:
        yield here and stack.enter_context(lease.named(f"{purpose} {project_id}"))


@contextmanager
def _isolated(step: str) -> Iterator[None]:
    """Log the failure of one step of a periodic task, so that the steps after it go on."""
    try:
        yield
    except Exception:
        logger.exception("%s failed.", step)

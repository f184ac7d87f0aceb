"""A run from queued to its model, and what may go wrong on the way."""



from labeling.models import Question, Snapshot
from training import jobs, runs
from training.models import Model, Run

State = Run.State


def queue(snapshot: Snapshot, recipe: str = "diffusion") -> Run:
    return runs.create(
        snapshot=snapshot, recipe=recipe, preset="smoke", trigger=Run.Trigger.COMMAND
    )


def claimed(run: Run) -> Run:
    held = runs.claim(run_id=run.pk)
    assert held
    return held


def test_a_clip_run_succeeds_and_its_opinions_move_open_questions(snapshot: Snapshot) -> None:
    run = queue(snapshot, "clip")
    jobs.train(run.pk)
    run.refresh_from_db()
    assert run.state == State.SUCCEEDED, run.error
    assert run.stage == "done" and run.step == run.steps > 0 and run.metrics
    model = Model.objects.get(run=run)
    open_questions = Question.objects.filter(state=Question.State.OPEN)
    assert model.current and model.feedback == {"opinions": open_questions.count()}
    assert not open_questions.filter(opinion=None).exists()


def test_a_diffusion_run_succeeds_and_its_pictures_become_questions(snapshot: Snapshot) -> None:
    run = queue(snapshot)
    jobs.train(run.pk)
    run.refresh_from_db()
    assert run.state == State.SUCCEEDED, run.error
    drawn = snapshot.project.images.exclude(generated_by="")
    assert drawn.count() > 0
    assert set(drawn.values_list("prompt", flat=True)) & {"a circle", "a square"}
    asked = Question.objects.filter(tile__image__in=drawn)
    feedback_given = Model.objects.get(run=run).feedback
    assert feedback_given["questions"] == asked.count() >= drawn.count()

"""One row of everything that the API shows."""

import pytest


@pytest.fixture
def ids(shapes, mallory, client) -> dict[str, object]:
    """What stands in the braces of the endpoints."""
    from labeling.models import Question, Snapshot
    from training.models import Generation, Model, Run

    snapshot = Snapshot.objects.create(project=shapes)
    run = Run.objects.create(project=shapes, snapshot=snapshot, recipe="diffusion")
    model = Model.objects.create(project=shapes, run=run, recipe="diffusion")
    body = {"project": "shapes", "kind": "grid"}
    shown = client.post("/api/v1/challenges/", body, content_type="application/json")
    return {
        "slug": shapes.slug,
        "token": shown.json()["token"],
        "snapshot": snapshot.pk,
        "concept": shapes.concepts.get(name="circle").pk,
        "question": Question.objects.filter(state="open").first().pk,
        "annotator": mallory.pk,
        "run": run.pk,
        "model": model.pk,
        "generation": Generation.objects.create(model=model, prompt="a circle").pk,
    }

"""Once around: pictures in, answers in the browser, labels, a model, its pictures, a data set out.

Those who take part look at the tiles themselves: what is red is an apple, what is blue a box.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from PIL import Image as Picture
from PIL import ImageDraw
from playwright.sync_api import Browser, Page

from labeling import concepts, features, snapshots
from labeling.models import Answer, Concept, Image, Project, Question, Recomputation, Snapshot
from tests.browser import let_server_finish
from tests.waiting import wait_until
from training import tasks, zero_shot
from training.engine.presets import PRESETS, SMOKE
from training.models import Model, Run
from training.tasks import sweep

TRAINING_LIMIT = 300.0  # seconds
SEE_RED = """tiles => tiles.map(tile => {
  const picture = tile.querySelector("img");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let red = 0;
  for (let at = 0; at < data.length; at += 4) red += data[at] - data[at + 2];
  return red > 0;
})"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder a concept, with a caption beside each picture."""
    rng = random.Random(0)
    for name, colour in (("apple", (220, 30, 30)), ("box", (30, 60, 220))):
        folder = tmp_path / "pictures" / name
        folder.mkdir(parents=True)
        for number in range(16):
            picture = Picture.new("RGB", (64, 64), "white")
            draw = ImageDraw.Draw(picture)
            left, top, size = rng.randint(2, 20), rng.randint(2, 20), rng.randint(24, 40)
            place = (left, top, left + size, top + size)
            (draw.ellipse if name == "apple" else draw.rectangle)(place, fill=colour)
            picture.save(folder / f"{number}.png")
            (folder / f"{number}.txt").write_text(f"one {name} on white")
    return tmp_path / "pictures"


@pytest.fixture
def people(browser: Browser, live_server) -> Iterator[list[Page]]:
    """Three visitors, each with a browser and so a pseudonym of their own."""
    contexts = [browser.new_context(base_url=live_server.url) for _ in range(3)]
    for context in contexts:
        context.set_default_timeout(20_000)
    yield [context.new_page() for context in contexts]
    for context in contexts:
        context.close()
    let_server_finish()


def take_part(page: Page, *, challenges: int) -> None:
    """Answer grids by looking at them, with the keyboard alone, while there is something to ask."""
    page.goto("/take-part/orchard/?kind=grid")
    for _ in range(challenges):
        page.wait_for_selector("#ask[data-seen]")  # from then on, presses are taken
        if not page.locator(".tile").count():
            break
        apples_wanted = "apple" in page.locator("#subject").inner_text()
        shown = page.locator(".tile img").first.get_attribute("src")
        tiles = page.locator(".tile").evaluate_all(SEE_RED)
        found = [number for number, red in enumerate(tiles, start=1) if red == apples_wanted]
        for number in found:
            page.keyboard.press(str(number))
        page.keyboard.press("Enter" if found else "n")
        page.wait_for_function(
            "shown => document.querySelector('.tile img')?.getAttribute('src') !== shown"
            " || document.querySelector('#ask').dataset.mode === 'panel'",
            arg=shown,
        )


def train(snapshot: Snapshot, recipe: str, preset: str = "smoke", **options: object) -> Model:
    """Ask for a run as a person would, and wait until the worker is done with it."""
    lines = [f"{name}={json.dumps(value)}" for name, value in options.items()]
    call_command("train", str(snapshot.pk), recipe=recipe, preset=preset, option=lines)
    run = Run.objects.get(recipe=recipe)
    at_work = Run.objects.filter(pk=run.pk, state__in=[Run.State.QUEUED, Run.State.RUNNING])
    wait_until(lambda: not at_work.exists(), limit=TRAINING_LIMIT)
    run.refresh_from_db()
    assert run.state == Run.State.SUCCEEDED, run.error
    return Model.objects.get(run=run)


def wait_for_feedback(model: Model) -> dict[str, object]:
    """Wait until the worker has compared the model with the current one, and asked people."""
    given = Model.objects.filter(pk=model.pk, feedback__isnull=False)
    wait_until(given.exists, limit=TRAINING_LIMIT)
    model.refresh_from_db()
    return model.feedback


def test_once_around(transactional_db, worker, people, pictures, tmp_path, ada):
    # pictures come in; nobody has said anything yet
    call_command("import_images", str(pictures), project="orchard")
    call_command("project", "orchard", "--publish")
    assert Image.objects.count() == 32
    asked = Question.objects.filter(kind=Question.Kind.CONCEPT)
    assert {q.state for q in asked} == {Question.State.OPEN}

    # people answer in their browsers, and questions settle
    for page in people:
        take_part(page, challenges=4)
    assert Answer.objects.count() >= 64
    settled = asked.filter(state=Question.State.SETTLED).select_related("concept", "tile__image")
    assert settled.count() >= 16
    for question in settled:
        truth = f"{question.concept.name}/" in question.tile.image.source
        assert question.label == truth, question.tile.image.source

    # the labels are brought home and frozen
    call_command("aggregate", project="orchard")
    call_command("snapshot", project="orchard")
    snapshot = Snapshot.objects.get()
    assert (snapshot.state, snapshot.counts["images"]) == (Snapshot.State.READY, 32)

    # a model is compared with what the frozen encoder predicts, and predicts open questions
    zero_shot.predict(Project.objects.get())
    clip = train(snapshot, "clip")
    reviewed = Model.objects.filter(pk=clip.pk, reviewed_at__isnull=False)
    wait_until(reviewed.exists, limit=TRAINING_LIMIT)
    clip.refresh_from_db()
    assert clip.current == clip.verdict["promoted"], clip.verdict["why"]
    if not clip.current:
        tasks.promote(model=clip, by=ada, reason="It learns from people.")
    assert wait_for_feedback(clip)["predictions"]
    assert asked.filter(model_probability__isnull=False).exclude(prior_shift=0).exists()

    # what it sees in all tiles stays, and is learned from with what people say
    seen = features.load(Project.objects.get())
    assert seen is not None and len(seen.tiles) == 32 and len(seen.texts) == 2
    assert Recomputation.objects.get().requested
    call_command("aggregate", project="orchard")
    assert all(concept.known_when_fitted for concept in Concept.objects.all())

    # a concept that is added later is predicted from what it saw
    pear = concepts.create(project=Project.objects.get(), name="pear")
    sweep()
    predicted = Concept.objects.filter(pk=pear.pk).exclude(predictions="")
    wait_until(predicted.exists, limit=TRAINING_LIMIT)
    pears = Question.objects.filter(concept=pear)
    wait_until(pears.filter(model_probability__isnull=False).exists)

    # another draws; once it is accepted, what it drew is asked about, marked as generated
    smoke = PRESETS["diffusion"][SMOKE].options
    quick = {**smoke, "space": "components", "one_call_steps": 10}
    diffusion = train(snapshot, "diffusion", preset="cpu", **quick)
    reviewed = Model.objects.filter(pk=diffusion.pk, reviewed_at__isnull=False)
    wait_until(reviewed.exists, limit=TRAINING_LIMIT)
    diffusion.refresh_from_db()
    assert diffusion.current == diffusion.verdict["promoted"], diffusion.verdict["why"]
    if not diffusion.current:
        tasks.promote(model=diffusion, by=ada, reason="It draws red things.")
    assert wait_for_feedback(diffusion)["questions"]
    drawn = Image.objects.filter(generated=True)
    assert drawn.exists() and Question.objects.filter(tile__image__in=drawn).exists()
    call_command("generate", str(diffusion.pk), "an apple", count=2, out=tmp_path / "drawn")
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 2

    # somebody is asked about a drawn picture
    Question.objects.exclude(tile__image__in=drawn).update(state=Question.State.SETTLED)
    people[0].goto("/take-part/orchard/?kind=verify")
    people[0].wait_for_selector("#ask[data-seen] #stage img")
    people[0].keyboard.press("y")
    people[0].get_by_text("A picture before this one was drawn by a model.").wait_for()
    assert Answer.objects.filter(question__tile__image__in=drawn).count() == 1

    # the data set leaves, without the drawn pictures
    call_command("snapshot", project="orchard")
    latest = Snapshot.objects.latest("pk")
    call_command("export", str(latest.pk), format="kohya", out=tmp_path / "kohya")
    texts = [p.read_text() for p in (tmp_path / "kohya").glob("*/*.txt")]
    assert len(texts) == 32 and all("on white" in text for text in texts)
    manifest = json.loads((snapshots.local_folder(latest) / "manifest.json").read_text())
    assert manifest["counts"]["generated"] == 0

"""A model of pairs draws the other half of a picture that somebody gives."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from labeling import marks
from labeling.models import Question
from tests.pictures import decoded, encoded, plain
from tests.training.studio import ADDRESS, make_model, request, store
from training import feedback, tasks
from training.api.generations import GenerationThrottle
from training.models import Generation, Model

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

    from labeling.models import Snapshot

pytestmark = pytest.mark.usefixtures("stand_in")

SIDE, GAP = 32, 2


@pytest.fixture
def pairs(bare_snapshot: Snapshot) -> Model:
    """A current model of pairs, whose drawings a stand-in makes; one pair, beside a picture."""
    both = Image.new("RGB", (2 * SIDE + GAP, SIDE), "white")
    both.paste("red", (0, 0, SIDE, SIDE))
    file = io.BytesIO()
    both.save(file, "PNG", **marks.saving("PNG", None))
    rows = [{"file_name": "seen.png", "pair": 0.0}, {"file_name": "pair.png", "pair": 0.9}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    files: dict[str, str | bytes] = {"train/pair.png": file.getvalue()}
    store({**files, "train/metadata.jsonl": lines}, name=bare_snapshot.folder)
    return make_model(bare_snapshot, recipe="pairs")


def give(client: Client, model: Model, data: bytes, **fields: object) -> dict[str, object]:
    """Ask for the other half of an uploaded picture."""
    file = SimpleUploadedFile("../../picture.png", data)
    fields |= {"kind": "translation", "model": model.pk, "source_image": file}
    response = client.post(ADDRESS, fields)
    return {"status": response.status_code} | response.json()


def test_the_other_half_of_an_uploaded_picture_is_drawn(client: Client, pairs: Model) -> None:
    asked = give(client, pairs, plain(), prompt="the letter a", count=2)
    assert asked["status"] == 201, asked
    tasks.generate(str(asked["id"]))
    done = client.get(f"{ADDRESS}{asked['id']}/").json()
    assert done["state"] == "succeeded", done["error"]
    assert len(done["samples"]) == 2
    assert decoded(b"".join(client.get(done["source_image_url"]))).size == (32, 32)
    assert str(Generation.objects.get()) == "other half of the letter a"


@pytest.mark.parametrize("kind", ["turned", "print", "clear", "large"])
def test_a_picture_is_taken_as_imported_ones_are(client: Client, pairs: Model, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    data = {
        "turned": encoded(Image.new("RGB", (40, 20), "teal"), exif=exif),
        "print": encoded(Image.new("CMYK", (20, 40), (9, 200, 30, 4))),
        "clear": encoded(Image.new("RGBA", (20, 40)), "PNG"),
        "large": encoded(Image.new("L", (2000, 4000)), "PNG"),
    }[kind]
    asked = give(client, pairs, data)
    assert asked["status"] == 201, asked
    stored = decoded(b"".join(client.get(str(asked["source_image_url"]))))
    assert stored.mode == "RGB" and stored.height == 2 * stored.width
    if kind == "clear":
        assert stored.getpixel((0, 0)) == (255, 255, 255)


def test_what_is_no_single_picture_is_refused(client: Client, pairs: Model) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    animated = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    for data in (b"", b"<svg/>" * 99, plain()[:60], plain((5000, 4000)), animated, plain((2, 9))):
        assert give(client, pairs, data)["status"] == 400, data[:9]
    assert request(client, kind="translation", model=pairs.pk)["status"] == 400
    assert not Generation.objects.exists()


def test_first_halves_of_the_projects_pairs_are_offered(client: Client, pairs: Model) -> None:
    address = f"/api/v1/models/{pairs.pk}/examples/"
    half = decoded(client.get(f"{address}1/").content)
    assert half.size == (SIDE, SIDE) and half.getpixel((SIDE - 1, 0)) == (255, 0, 0)
    assert client.get(f"{address}2/").status_code == 404
    assert request(client, kind="translation", model=pairs.pk, example=1)["status"] == 201
    assert request(client, kind="translation", model=pairs.pk, example=2)["status"] == 400
    assert "No file" not in client.get(f"/draw/?model={pairs.pk}").content.decode()
    assert f"{address}1/" in client.get(f"/draw/?model={pairs.pk}").content.decode()


def test_each_kind_of_request_finds_the_model_that_is_for_it(
    client: Client, pairs: Model, model: Model
) -> None:
    file = SimpleUploadedFile("picture.png", plain())
    fields = {"kind": "translation", "source_image": file}
    assert client.post(ADDRESS, fields).json()["model"] == pairs.pk
    assert request(client, prompt="a circle")["model"] == model.pk
    words = request(client, model=pairs.pk, prompt="a circle")
    assert words["status"] == 400 and "nothing from words alone" in str(words["detail"])
    refused = give(client, model, plain())
    assert refused["status"] == 400 and "draws no other halves" in str(refused["detail"])
    refused = request(client, kind="inpainting", model=model.pk, example=1)
    assert refused["status"] == 400 and "completes no pictures" in str(refused["detail"])


def test_nobody_is_asked_whether_another_half_shows_its_text(
    client: Client, pairs: Model, ada: User
) -> None:
    asked = give(client, pairs, plain(), prompt="the letter a")
    tasks.generate(str(asked["id"]))
    client.force_login(ada)
    refused = client.post(f"{ADDRESS}{asked['id']}/ask/")
    assert refused.status_code == 409 and "other halves" in refused.json()["detail"]
    assert not Question.objects.exists()
    Model.objects.update(reviewed_at=pairs.created_at)
    assert not feedback.is_due(pairs)


def post(client: Client, model: Model, data: bytes, **fields: object) -> object:
    """Send the studio's form as a browser without JavaScript does."""
    file = SimpleUploadedFile("picture.png", data)
    fields |= {"model": model.pk, "kind": "translation", "source": "upload", "upload": file}
    empty = {"prompt": "", "second_prompt": "", "second_seed": "", "guidance": ""}
    return client.post("/draw/", {**empty, "count": "2", "seed": "0", **fields}, follow=True)


def test_it_is_drawn_without_javascript(client: Client, pairs: Model) -> None:
    page = post(client, pairs, plain()).content.decode()  # type: ignore[attr-defined]
    generation = Generation.objects.get()
    assert "Drawing …" in page and 'http-equiv="refresh"' in page
    tasks.generate(str(generation.pk))
    page = client.get(f"/draw/?model={pairs.pk}&drawing={generation.pk}").content.decode()
    assert 'http-equiv="refresh"' not in page
    assert f"{ADDRESS}{generation.pk}/samples/2/" in page
    assert f"{ADDRESS}{generation.pk}/source-image/" in page


def test_a_form_is_refused_in_words_and_keeps_its_own(
    client: Client, pairs: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = post(client, pairs, b"<svg/>", prompt="the letter a")
    page = refused.content.decode()  # type: ignore[attr-defined]
    assert refused.status_code == 400  # type: ignore[attr-defined]
    assert "not a readable picture" in page and 'value="the letter a"' in page
    monkeypatch.setattr(GenerationThrottle, "most", 1)
    assert post(client, pairs, plain()).status_code == 429  # type: ignore[attr-defined]


def test_the_page_of_a_model_of_pairs_says_what_it_draws(
    client: Client, pairs: Model, ada: User
) -> None:
    own, visitors = (
        Generation.objects.create(model=pairs, kind="translation", state="succeeded", **fields)
        for fields in ({"requested_by": ada, "prompt": "mine"}, {"visitor": "x", "prompt": "his"})
    )
    for generation in (own, visitors):
        generation.samples.create(file="samples/none.png", seed=0)
    client.force_login(ada)
    page = client.get(f"/projects/shapes/models/{pairs.pk}/").content.decode()
    assert "Draw the other half of a picture" in page
    assert "Nobody is asked about what it draws" in page
    assert "other half of mine" in page and "other half of his" not in page

"""Exports over HTTP: begun, watched, sent and deleted."""

import io
import zipfile

import pytest

from labeling import snapshots
from labeling.exports import jobs
from labeling.models import Export
from tests.labeling.garden import add, caption

pytestmark = pytest.mark.django_db
LIST = "/api/v1/projects/garden/exports/"


@pytest.fixture
def snapshot(garden):
    caption(add(garden, 1, source="a/1.png"), "a stripe", 0.9)
    return snapshots.freeze(project=garden)


def begin(client, frozen, **body):
    body = {"snapshot": frozen.pk, "format": "kohya", **body}
    return client.post(LIST, body, content_type="application/json")


def test_an_export_is_begun_watched_sent_and_deleted(admin_client, snapshot):
    begun = begin(admin_client, snapshot, options={"confidence": 0.7, "concepts": ["x"]})
    assert begun.status_code == 202
    assert begun.json()["options"] == {"confidence": 0.7, "concepts": ["x"]}
    export = Export.objects.get()
    assert admin_client.get(f"/api/v1/exports/{export.pk}/download/").status_code == 404
    jobs.advance(export)
    detail = admin_client.get(f"/api/v1/exports/{export.pk}/").json()
    assert (detail["state"], detail["counts"]) == ("ready", {"pictures": 1, "texts": 1})
    assert admin_client.get(LIST).json()["results"] == [detail]
    response = admin_client.get(f"/api/v1/exports/{export.pk}/download/")
    with zipfile.ZipFile(io.BytesIO(b"".join(response))) as archive:
        assert archive.testzip() is None
    assert admin_client.delete(f"/api/v1/exports/{export.pk}/").status_code == 204
    assert not Export.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {"format": "zarr"},
        {"snapshot": 10**9},
        {"options": {"sidecar": "tags"}},
        {"options": {"confidence": [0.5]}},
    ],
)
def test_what_cannot_be_made_is_refused(admin_client, snapshot, body):
    response = begin(admin_client, snapshot, **body)
    assert response.status_code == 400 and response.json()["detail"]
    assert not Export.objects.exists()


def test_one_that_is_being_made_is_not_deleted(admin_client, snapshot):
    begin(admin_client, snapshot)
    export = Export.objects.get()
    Export.objects.acquire(export.pk)
    assert admin_client.delete(f"/api/v1/exports/{export.pk}/").status_code == 409


def test_the_page_begins_one_and_keeps_what_was_wrong(admin_client, snapshot):
    body = {"snapshot": snapshot.pk, "format": "folder", "confidence": "high", "sidecar": "tags"}
    page = admin_client.post("/projects/garden/exports/", body)
    assert page.status_code == 409 and "confidence is a number from 0 to 1" in page.text
    assert 'value="high"' in page.text
    page = admin_client.post("/projects/garden/exports/", body | {"confidence": "0.8"}, follow=True)
    assert page.status_code == 200
    assert Export.objects.get().options == {"confidence": 0.8, "sidecar": "tags"}


def test_raw_answers_have_pseudonyms_of_one_export(garden, alice, bob):
    from labeling.exports import answers
    from labeling.models import Answer, Question

    image = add(garden, 2, source="b/2.png")
    caption(image, "two stripes", 0.6)
    question = Question.objects.get(kind="caption")
    for annotator in (alice, bob):
        Answer.objects.create(
            question=question, annotator=annotator, value=annotator == alice, reason="wanted"
        )
    frozen = snapshots.freeze(project=garden)
    workers = []
    for key in ("one", "two"):
        told = list(answers.of(frozen, key))
        assert sorted(each["label"] for each in told) == ["no", "yes"]
        assert {each["text"] for each in told} == {"two stripes"}
        assert not any("alice" in str(each) for each in told)
        workers.append({each["worker"] for each in told})
    assert not workers[0] & workers[1]
    export = jobs.advance(jobs.begin(snapshot=frozen, format="answers", values={}))
    assert export.counts == {"answers": 0, "other_answers": 2}, export.error


def test_a_task_of_raw_answers_is_one_question(garden, alice, bob):
    from labeling import questions
    from labeling.exports import answers
    from labeling.images import tiles
    from labeling.models import Answer, Concept, Question

    tile = tiles.whole(add(garden, 2, source="b/2.png"))
    concepts = [Concept.objects.create(project=garden, name=name) for name in ("dots", "stripes")]
    questions.ask_pairs(project=garden, pairs=[(tile.pk, concept.pk) for concept in concepts])
    for question in Question.objects.filter(concept__in=concepts):
        for annotator in (alice, bob):
            yes = question.concept.name == "stripes"
            Answer.objects.create(
                question=question, annotator=annotator, value=yes, reason="wanted"
            )
    told = list(answers.of(snapshots.freeze(project=garden), "key"))
    stem = told[0]["picture"]
    assert {(each["task"], each["label"], each["source"]) for each in told} == {
        (f"{stem} dots", "no", "b/2.png"),
        (f"{stem} stripes", "yes", "b/2.png"),
    }

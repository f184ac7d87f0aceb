"""Projects for everybody; questions, annotators, agreement and snapshots for staff."""

import base64
import json

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from labeling import answers, decisions, tasks
from labeling.models import Comment, Concept, Image, Membership, Project, Question, Snapshot, Tile
from tests.cast import allow

pytestmark = pytest.mark.django_db
API = "/api/v1/"


@pytest.fixture
def asked(shapes) -> Question:
    return Question.objects.filter(kind="concept", state="open").first()


def post(client: Client, path: str, body: object = None):
    return client.post(API + path, json.dumps(body or {}), content_type="application/json")


def test_anybody_may_see_what_projects_there_are(client, shapes):
    Project.objects.create(slug="hidden", name="Hidden")
    (project,) = client.get(f"{API}projects/").json()["results"]
    assert project["slug"] == "shapes" and project["attribution"] == "Drawn by Ada."
    assert project == client.get(f"{API}projects/shapes/").json()
    assert project["progress"] == {
        "images": 24,
        "pairs": 48,
        "implicit": 0,
        "questions": 72,
        "answered": 0,
        "pooled": 36,
        "open": 60,
        "settled": 0,
        "ambiguous": 0,
        "gold": 12,
        "answers": 0,
        "annotators": 0,
        "visitors": 0,
    }


@pytest.mark.parametrize("slug", ["nowhere", "hidden", "x" * 300])
def test_it_says_that_a_project_is_unknown(client, shapes, slug):
    Project.objects.create(slug="hidden", name="Hidden")
    response = client.get(f"{API}projects/{slug}/")
    assert response.status_code == 404 and response.json()["code"] == "not_found"


def test_staff_with_the_permission_may_decide(client, asked, bea):
    allow(bea, "change_question")
    client.force_login(bea)
    response = post(client, f"questions/{asked.pk}/decide/", {"value": False})
    assert response.status_code == 200
    assert (response.json()["state"], response.json()["verdict"]) == ("settled", False)
    response = post(client, f"questions/{asked.pk}/reopen/")
    assert (response.json()["state"], response.json()["verdict"]) == ("open", None)


def test_questions_come_a_page_at_a_time(ada_client, shapes, settings):
    page = ada_client.get(f"{API}projects/shapes/questions/").json()
    assert len(page["results"]) == 50 and page["next"]
    rest = ada_client.get(page["next"]).json()
    assert len(rest["results"]) == 22 and rest["next"] is None
    ids = [row["id"] for row in page["results"] + rest["results"]]
    assert len(set(ids)) == 72


def test_questions_can_be_filtered(ada_client, shapes):
    def found(query: str) -> list[dict]:
        return ada_client.get(f"{API}projects/shapes/questions/?{query}").json()["results"]

    assert {row["state"] for row in found("state=gold")} == {"gold"}
    assert {row["concept"] for row in found("concept=circle")} == {"circle"}
    assert {row["kind"] for row in found("kind=caption")} == {"caption"}
    assert len(found("concept=square&state=open")) == 18
    assert {row["reason"] for row in found("reason=stated")} == {"stated"}
    assert found("reason=doubtful") == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("state=lost", 400),
        ("kind=7", 400),
        ("reason=whim", 400),
        ("concept=unicorn", 400),
        ("concept=%00", 400),
        ("concept=" + "x" * 500, 400),
        ("cursor=%00", 200),
        ("cursor=nonsense", 400),
        ("cursor=" + base64.b64encode(b"p=" + b"9" * 5_000).decode(), 400),
        ("cursor=cD1hYmM=", 400),
        ("cursor=cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", 200),
        ("cursor=bz05OTk5OTk5OTk5OTk5", 200),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(ada_client, shapes, query, status):
    response = ada_client.get(f"{API}projects/shapes/questions/?{query}")
    assert response.status_code == status
    assert status == 200 or {"code", "detail"} < set(response.json())


def test_a_decision_has_a_note_and_knows_what_was_seen(ada_client, asked, bea):
    body = {"value": True, "note": "The corner\u202e shows it.", "seen": ""}
    response = post(ada_client, f"questions/{asked.pk}/decide/", body)
    assert response.json()["standing"] == "yes"
    note = Comment.objects.get(question=asked)
    assert (note.kind, note.text) == ("decision", "The corner shows it.")
    response = post(ada_client, f"questions/{asked.pk}/reopen/", {"seen": ""})
    assert response.status_code == 409 and "decided yes by ada" in response.json()["detail"]
    for body in ({"value": True, "note": "x" * 1_001}, {"value": True, "seen": "perhaps"}):
        assert post(ada_client, f"questions/{asked.pk}/decide/", body).status_code == 400
    assert post(ada_client, f"questions/{asked.pk}/reopen/", {"seen": "yes"}).status_code == 200


def test_many_are_decided_at_once_and_undone(ada_client, shapes, bea):
    first, second, third = Question.objects.filter(kind="concept", state="open")[:3]
    post(ada_client, f"questions/{first.pk}/decide/", {"value": False})
    body = {
        "decision": "yes",
        "questions": [
            {"question": first.pk, "seen": ""},
            {"question": second.pk, "seen": ""},
            {"question": third.pk},
            {"question": 10**9},
        ],
    }
    outcome = post(ada_client, "projects/shapes/decisions/", body).json()
    assert (outcome["changed"], outcome["unchanged"]) == (2, 0)
    assert outcome["refused"] == [
        {"question": first.pk, "reason": "decided no by ada since you looked"},
        {"question": 10**9, "reason": "no longer there"},
    ]
    undo = f"projects/shapes/decisions/{outcome['batch']}/undo/"
    assert post(ada_client, undo).json()["changed"] == 2
    assert post(ada_client, undo).status_code == 409
    second.refresh_from_db()
    assert second.verdict is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"decision": "yes", "questions": []},
        {"decision": "burn", "questions": [{"question": 1}]},
        {"decision": "yes", "questions": [1]},
        {"decision": "yes", "questions": [{"question": "1"}]},
        {"decision": "yes", "questions": [{"question": 1, "seen": "perhaps"}]},
        {"decision": "yes", "questions": [{"question": n} for n in range(1, 502)]},
    ],
)
def test_a_batch_that_makes_no_sense_is_refused(ada_client, shapes, body):
    assert post(ada_client, "projects/shapes/decisions/", body).status_code == 400


def test_a_batch_of_another_reviewer_is_not_undone(client, shapes, ada, carol):
    question = Question.objects.filter(state="open").first()
    outcome = decisions.decide_many(project=shapes, choice="yes", seen={question.pk: None}, by=ada)
    Membership.objects.create(project=shapes, user=carol, role="reviewer")
    client.force_login(carol)
    undo = f"projects/shapes/decisions/{outcome.batch.pk}/undo/"
    assert post(client, undo).status_code == 404


@pytest.fixture
def dog(shapes) -> Concept:
    """A concept that nothing is stored of."""
    return Concept.objects.create(project=shapes, name="dog", phrase="a dog", aliases=["puppy"])


def decide_pair(client: Client, **body: object):
    return post(client, "projects/shapes/questions/", body)


def test_a_reviewer_decides_what_no_question_is_stored_of(client, dog, bea):
    allow(bea, "change_question")
    client.force_login(bea)
    tile = Tile.objects.first()
    response = decide_pair(client, tile=tile.pk, concept="dog", value=True)
    assert response.status_code == 201
    decided = response.json()
    assert (decided["tile"], decided["concept"], decided["reason"]) == (tile.pk, "dog", "decided")
    assert (decided["state"], decided["verdict"], decided["probability"]) == ("settled", True, 1.0)
    assert Question.objects.get(concept=dog).decided_by == bea


def test_a_decision_that_is_sent_again_changes_nothing(ada_client, dog):
    image = Image.objects.first()
    by_image = decide_pair(ada_client, image=image.pk, concept="dog", value=False)
    tile = image.tiles.get()
    by_alias = decide_pair(ada_client, tile=tile.pk, concept="Puppy", value=False)
    assert (by_image.status_code, by_alias.status_code) == (201, 200)
    assert by_image.json() == by_alias.json()
    assert LogEntry.objects.count() == 1
    other_way = decide_pair(ada_client, tile=tile.pk, concept="dog", value=True)
    assert (other_way.status_code, other_way.json()["verdict"]) == (200, True)


def test_a_pair_that_is_stored_is_decided_with_its_answers(ada_client, asked, alice):
    answers.record(annotator=alice, values={asked.pk: True}, reasons={asked.pk: "wanted"})
    response = decide_pair(ada_client, tile=asked.tile_id, concept=asked.concept.name, value=False)
    assert response.status_code == 200 and response.json()["id"] == asked.pk
    assert (response.json()["answers_count"], response.json()["verdict"]) == (1, False)


def test_a_decision_about_a_pair_names_what_there_is(ada_client, dog):
    tile, image = Tile.objects.first(), Image.objects.first()
    pair = {"tile": tile.pk, "concept": "dog", "value": True}
    elsewhere = Project.objects.create(state="open", slug="elsewhere", name="Elsewhere")
    cat = Concept.objects.create(project=elsewhere, name="cat", phrase="a cat")
    refused = {
        400: [
            pair | {"image": image.pk},
            {"concept": "dog", "value": True},
            pair | {"value": "yes"},
            pair | {"tile": "1"},
            pair | {"tile": 2**63},
            pair | {"concept": ""},
        ],
        404: [pair | {"tile": 10**9}, pair | {"concept": cat.name}, pair | {"concept": "unicorn"}],
    }
    for status, bodies in refused.items():
        for body in bodies:
            response = decide_pair(ada_client, **body)
            assert response.status_code == status, body
            assert {"code", "detail"} < set(response.json())
    assert not Question.objects.filter(concept__in=[dog, cat]).exists()


def test_a_concept_that_was_merged_is_decided_about_no_more(ada_client, dog):
    circle = Concept.objects.get(name="circle")
    Concept.objects.filter(pk=dog.pk).update(merged_into=circle, active=False)
    response = decide_pair(ada_client, tile=Tile.objects.first().pk, concept="dog", value=True)
    assert response.status_code == 409
    assert response.json()["detail"] == "“dog” was merged into “circle”: decide about that."


@pytest.mark.parametrize("pk", ["0", "999999999", "9" * 40])
@pytest.mark.parametrize(
    "what", ["questions/{}/decide/", "questions/{}/reopen/", "annotators/{}/block/"]
)
def test_unknown_ids_are_unknown(ada_client, shapes, pk, what):
    response = post(ada_client, what.format(pk), {"value": True})
    assert response.status_code == 404 and response.json()["code"] == "not_found"


def test_a_decision_is_yes_or_no(ada_client, asked):
    for body in ({}, {"value": None}, {"value": "yes"}, {"value": 1}, {"value": []}, [True], "yes"):
        response = post(ada_client, f"questions/{asked.pk}/decide/", body)
        assert response.status_code == 400 and response.json()["code"] == "invalid"
    asked.refresh_from_db()
    assert asked.verdict is None


def test_annotators_can_be_blocked_and_unblocked(ada_client, asked, mallory):
    answers.record(annotator=mallory, values={asked.pk: True}, reasons={asked.pk: "wanted"})
    (row,) = ada_client.get(f"{API}annotators/").json()["results"]
    assert row["name"] == "mallory" and row["blocked"] is False
    response = post(ada_client, f"annotators/{mallory.pk}/block/")
    assert response.json()["annotator"]["blocked"] is True
    asked.refresh_from_db()
    assert asked.probability == 0.5
    response = post(ada_client, f"annotators/{mallory.pk}/unblock/")
    assert response.json()["annotator"]["blocked"] is False


def test_agreement_is_listed_by_concept(ada_client, asked, alice, bob):
    for annotator in (alice, bob):
        answers.record(annotator=annotator, values={asked.pk: True}, reasons={asked.pk: "wanted"})
    rows = ada_client.get(f"{API}projects/shapes/agreement/").json()["results"]
    assert [row["concept"] for row in rows] == ["circle", "square"]
    assert sum(row["answers"] for row in rows) == 2
    assert {row["advice"][:8] for row in rows} == {"Ask more", "Nobody h"}


def test_a_snapshot_is_begun_and_left_to_a_worker(
    ada_client, shapes, monkeypatch, django_capture_on_commit_callbacks
):
    woken = []
    monkeypatch.setattr(tasks.freeze, "apply_async", lambda pks, **_: woken.extend(pks))
    with django_capture_on_commit_callbacks(execute=True):
        response = post(ada_client, "projects/shapes/snapshots/", {"include_generated": True})
    assert response.status_code == 202 and response.json()["state"] == "freezing"
    snapshot = Snapshot.objects.get()
    assert woken == [snapshot.pk] and snapshot.include_generated
    assert ada_client.get(f"{API}snapshots/{snapshot.pk}/").json()["id"] == snapshot.pk
    (listed,) = ada_client.get(f"{API}projects/shapes/snapshots/").json()["results"]
    assert listed["id"] == snapshot.pk


def test_a_snapshot_is_not_begun_on_nonsense(ada_client, shapes):
    for body in ({"include_generated": "yes"}, {"include_generated": 1}, [1]):
        assert post(ada_client, "projects/shapes/snapshots/", body).status_code == 400
    assert post(ada_client, "projects/nowhere/snapshots/").status_code == 404
    assert not Snapshot.objects.exists()

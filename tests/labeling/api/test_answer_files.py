"""Files of answers and of gold over the API: sent, read by a worker, followed, taken back."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from labeling import tasks
from labeling.models import Answer, Import, Membership, Question
from tests.labeling.api.endpoints import API

pytestmark = pytest.mark.django_db
RED = "red circle 00.png"
ROWS = f"task,worker,label\n{RED},ann,circle\ngone.png,ann,circle\n"


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.UPLOAD_MIN_FREE_BYTES = 0


@pytest.fixture
def owner(shapes, carol) -> Client:
    Membership.objects.create(project=shapes, user=carol, role="owner")
    client = Client()
    client.force_login(carol)
    return client


def send(client: Client, path: str, text: str, **fields: str):
    file = SimpleUploadedFile("answers.csv", text.encode())
    return client.post(f"{API}projects/shapes/{path}/", {"file": file, **fields})


def shown(client: Client, pk: int) -> dict:
    return client.get(f"{API}imports/{pk}/").json()


def test_a_script_sends_answers_follows_them_and_takes_them_back(owner):
    sent = send(owner, "answers", ROWS)
    assert (sent.status_code, sent.json()["state"], sent.json()["kind"]) == (
        *(202, "reading", "answers"),
    )
    tasks.advance_imports()
    record = shown(owner, sent.json()["id"])
    assert (record["state"], record["requested_by"]) == ("done", "carol")
    assert record["counts"]["answers"] == {"read": 2, "new": 1, "known": 0, "refused": 1}
    report = owner.get(f"{API}imports/{record['id']}/report/")
    assert b"line 3,answer refused,,'gone.png' is no picture" in b"".join(report.streaming_content)
    assert owner.post(f"{API}imports/{record['id']}/undo/").status_code == 202
    tasks.advance_imports()
    assert shown(owner, record["id"])["state"] == "undone" and not Answer.objects.exists()


def test_a_file_may_wait_until_its_columns_are_chosen(owner):
    text = f"pic,task,who,shape\n{RED},7,ann,circle\n"
    columns = {"task": "task", "worker": "who", "label": "shape"}
    pk = send(owner, "answers", text, wait="true", **columns).json()["id"]
    tasks.advance_imports()
    assert (shown(owner, pk)["state"], Answer.objects.count()) == ("choosing", 0)

    def choose(**chosen: str):
        body = json.dumps({**columns, **chosen})
        return owner.post(f"{API}imports/{pk}/columns/", body, content_type="application/json")

    refused = choose(task="nowhere")
    assert (refused.status_code, "no column nowhere" in refused.json()["detail"]) == (400, True)
    assert choose(task="pic").json()["state"] == "importing"
    tasks.advance_imports()
    assert shown(owner, pk)["counts"]["answers"]["new"] == 1
    assert choose(task="pic").status_code == 409


def test_a_file_that_cannot_be_read_fails_with_the_reason_and_may_be_sent_again(owner):
    pk = send(owner, "answers", "a,b\n1,2\n").json()["id"]
    tasks.advance_imports()
    record = shown(owner, pk)
    assert record["state"] == "failed" and "which column holds the task?" in record["error"]
    assert send(owner, "answers", ROWS, encoding="no-such").status_code == 400
    strict = send(owner, "answers", ROWS, strict="true").json()["id"]
    tasks.advance_imports()
    assert "Nothing was imported" in shown(owner, strict)["error"] and not Answer.objects.exists()


def test_a_gold_list_is_marked_by_who_sends_it(owner, carol):
    Question.objects.filter(tile__image__source=RED).update(state="open", verdict=None)
    pk = send(owner, "gold/file", f"task;concept;truth\n{RED};circle;yes\n").json()["id"]
    tasks.advance_imports()
    assert shown(owner, pk)["counts"]["truths"]["new"] == 1
    question = Question.objects.get(tile__image__source=RED, concept__name="circle")
    assert (question.state, question.verdict, question.decided_by) == ("gold", True, carol)


def test_an_archived_project_takes_none(owner, shapes):
    shapes.state = "archived"
    shapes.save()
    assert send(owner, "answers", ROWS).status_code == 409
    assert not Import.objects.exists()

"""What happens is told once it is so, signed, and again until it is taken."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from labeling import notices, webhooks
from labeling.models import Delivery, HookEvent, SuspectSpell, Webhook
from labeling.webhooks import posting, sending, signing, watching
from tests.at_once import run_at_once
from tests.cast import answer

pytestmark = pytest.mark.django_db
ALL = list(HookEvent.values)


@pytest.fixture
def hook(shapes, olga, receiver) -> Webhook:
    return webhooks.create(project=shapes, url=receiver.url, events=ALL, by=olga)


def emit(project, number: int = 1) -> None:
    webhooks.emit(project=project, event=HookEvent.SNAPSHOT_READY, data={"snapshot": number})


def test_it_is_signed_as_the_standard_says(hook, shapes, receiver):
    emit(shapes)
    assert sending.send_due(hook.pk) == 1
    headers, body = receiver.got[0]
    assert json.loads(body)["type"] == "snapshot.ready"
    assert json.loads(body)["project"] == "shapes" and json.loads(body)["data"] == {"snapshot": 1}
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - timezone.now().timestamp()) < 300


def test_what_is_not_taken_is_sent_again_under_the_same_id(hook, shapes, receiver):
    receiver.statuses = [500, 204]
    emit(shapes)
    assert sending.send_due(hook.pk) == 0 and sending.send_due(hook.pk) == 0
    row = Delivery.objects.get()
    assert (row.state, row.status, row.attempts) == ("pending", 500, 1)
    assert row.due_at > timezone.now() and len(receiver.got) == 1
    Delivery.objects.update(due_at=timezone.now())
    assert sending.send_due(hook.pk) == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert Delivery.objects.get().state == "delivered"


def test_it_is_given_up_in_the_end_and_can_be_sent_again_by_hand(hook, shapes, receiver):
    receiver.statuses = [503]
    emit(shapes)
    for _ in range(len(sending.WAITS) + 1):
        Delivery.objects.update(due_at=timezone.now())
        sending.send_due(hook.pk)
    row = Delivery.objects.get()
    assert row.state == "failed" and "503" in row.error
    assert not sending.due_hooks()
    receiver.statuses = [200]
    webhooks.resend(delivery=row)
    assert sending.send_due(hook.pk) == 1 and Delivery.objects.get().state == "delivered"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(hook, shapes, receiver, status):
    receiver.statuses = [status, 204]
    emit(shapes)
    sending.send_due(hook.pk)
    assert len(receiver.got) == 1 and Delivery.objects.get().status == status


def test_a_receiver_that_never_ends_its_answer_is_cut_off(hook, shapes, receiver, monkeypatch):
    monkeypatch.setattr(posting, "SECONDS", 0.3)
    receiver.drips = True
    emit(shapes)
    emit(shapes, 2)
    assert sending.send_due(hook.pk) == 0
    rows = Delivery.objects.order_by("pk")
    assert "no answer within" in rows[0].error and rows[1].attempts == 0


def test_a_receiver_that_says_gone_is_told_nothing_more(hook, shapes, receiver):
    receiver.statuses = [410]
    emit(shapes)
    sending.send_due(hook.pk)
    hook.refresh_from_db()
    assert not hook.active
    emit(shapes)
    assert Delivery.objects.count() == 1


def test_what_is_rolled_back_is_told_nobody(hook, shapes):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        emit(shapes)
        1 / 0  # noqa: B018
    assert not Delivery.objects.exists()


def test_others_are_told_nothing(shapes, hook, olga, receiver):
    Webhook.objects.update(events=["run.finished"])
    emit(shapes)
    assert not Delivery.objects.exists()


def test_labels_are_told_in_batches_each_once(hook, shapes, monkeypatch):
    monkeypatch.setattr(watching, "BATCH", 4)
    early = timezone.now() - timedelta(minutes=2)
    Webhook.objects.update(labels_until=early - timedelta(hours=1))
    rows = list(shapes.questions.filter(kind="concept", state="open")[:10])
    for number, row in enumerate(rows):  # nine settle in one moment
        settled_at = early + timedelta(seconds=number // 9)
        type(row).objects.filter(pk=row.pk).update(state="settled", settled_at=settled_at)
    for _ in range(3):
        watching.look()
    events = [json.loads(row.body) for row in Delivery.objects.order_by("pk")]
    told = [label["question"] for event in events for label in event["data"]["labels"]]
    assert sorted(told) == sorted(row.pk for row in rows)
    assert {event["type"] for event in events} == {"label.settled"} and len(events) == 3
    assert max(len(event["data"]["labels"]) for event in events) == 4


def test_an_annotator_who_turned_bad_is_told_where_they_answered(hook, shapes, alice, mallory):
    answer(alice, {shapes.questions.filter(kind="concept").first().pk: True})
    since = timezone.now() - timedelta(minutes=1)
    Webhook.objects.update(spells_until=since - timedelta(hours=1))
    for annotator in (alice, mallory):
        SuspectSpell.objects.create(annotator=annotator, start=1, started_at=since)
    watching.look()
    watching.look()
    body = json.loads(Delivery.objects.get(event="annotator.bad").body)
    assert body["data"]["annotator"] == alice.pk


def test_answering_asks_for_no_webhook(hook, shapes, alice, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer(alice, {shapes.questions.filter(kind="concept").first().pk: True})
    assert not [q for q in queries if "webhook" in str(q["sql"])]


def test_the_log_is_kept_for_a_month(hook, shapes, receiver):
    emit(shapes)
    sending.send_due(hook.pk)
    emit(shapes)
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    assert sending.forget() == 1 and Delivery.objects.get().state == "pending"


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_each_event_once(hook, shapes, receiver):
    for number in range(6):
        emit(shapes, number)
    taken = run_at_once(*[lambda: sending.send_due(hook.pk)] * 3)
    assert sum(taken) == 6
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == len(receiver.got) == 6


def test_the_page_makes_one_and_shows_its_secret_once(client, shapes, olga, receiver):
    client.force_login(olga)
    address = "/projects/shapes/webhooks/"
    body = {"url": receiver.url, "events": ["run.finished"]}
    page = client.post(address, body).content.decode()
    hook = Webhook.objects.get()
    assert hook.secret in page and hook.secret not in client.get(address).content.decode()
    sending.send_due(hook.pk)
    assert json.loads(receiver.got[0][1])["type"] == "ping"
    refused = client.post(address, body | {"url": "http://10.0.0.8/"})
    assert refused.status_code == 400 and b"https://" in refused.content


def test_the_api_makes_changes_and_deletes_one(client, shapes, olga):
    client.force_login(olga)
    address = "/api/v1/projects/shapes/webhooks/"
    body = {"url": "https://example.org/hook", "events": ["run.finished"]}
    made = client.post(address, body, content_type="application/json")
    assert made.status_code == 201 and made.json()["secret"].startswith("whsec_")
    assert "secret" not in client.get(address).json()["results"][0]
    one = f"/api/v1/webhooks/{made.json()['id']}/"
    for wrong in ({"url": "https://10.0.0.8/"}, {"url": "ftp://x.org/"}):
        refused = client.patch(one, wrong, content_type="application/json")
        assert refused.status_code == 400 and refused.json()["code"] == "address"
    off = client.patch(one, {"active": False}, content_type="application/json")
    assert off.json()["active"] is False
    assert client.delete(one).status_code == 204 and not Webhook.objects.exists()


def test_what_a_worker_did_not_finish_is_sent_by_another_under_the_same_id(hook, shapes, receiver):
    emit(shapes)
    lost = sending._claim(hook.pk)  # by a worker that is killed now
    assert sending.send_due(hook.pk) == 0, "it may still be at it"
    Delivery.objects.update(due_at=timezone.now() - timedelta(seconds=1))  # its minute is over
    assert sending.send_due(hook.pk) == 1
    assert receiver.got[0][0]["webhook-id"] == str(lost.uid)


def test_who_takes_nothing_for_days_is_switched_off_and_the_owner_is_told(
    hook, shapes, receiver, olga
):
    receiver.statuses = [500]
    emit(shapes)
    sending.send_due(hook.pk)
    hook.refresh_from_db()
    assert hook.active and hook.failing_since is not None
    Webhook.objects.update(failing_since=timezone.now() - sending.PATIENCE)
    Delivery.objects.update(due_at=timezone.now())
    sending.send_due(hook.pk)
    hook.refresh_from_db()
    assert not hook.active and hook.off_reason == "It took nothing for 3 days."
    assert "Switched off the webhook" in shapes.events.latest("pk").message
    assert any("is switched off" in notice.text for notice in notices.of(shapes, olga))
    hook = webhooks.change(hook=hook, by=olga, active=True)
    receiver.statuses = [204]
    Delivery.objects.update(due_at=timezone.now())
    assert sending.send_due(hook.pk) == 1 and not hook.off_reason


def test_who_takes_something_in_between_is_not_switched_off(hook, shapes, receiver):
    Webhook.objects.update(failing_since=timezone.now() - sending.PATIENCE)
    emit(shapes)
    assert sending.send_due(hook.pk) == 1
    hook.refresh_from_db()
    assert hook.active and hook.failing_since is None


def test_a_secret_is_replaced_while_both_sign_for_a_day(hook, shapes, receiver, olga):
    old, new = hook.secret, webhooks.replace_secret(hook=hook, by=olga)
    assert new.startswith("whsec_") and new != old

    def signers() -> list[str]:
        emit(shapes)
        sending.send_due(hook.pk)
        headers, body = receiver.got[-1]
        uid, moment = headers["webhook-id"], int(headers["webhook-timestamp"])
        by_signature = {
            signing.signature(secret, uid=uid, timestamp=moment, body=body): secret
            for secret in (old, new)
        }
        return [by_signature[each] for each in headers["webhook-signature"].split(" ")]

    assert signers() == [new, old]
    Webhook.objects.update(old_secret_until=timezone.now())
    assert signers() == [new]


def test_the_log_is_bounded(hook, shapes, monkeypatch):
    monkeypatch.setattr(sending, "LOGGED", 3)
    for number in range(6):
        emit(shapes, number)
    Delivery.objects.update(state="delivered")
    emit(shapes, 7)
    assert sending.forget() == 3
    assert Delivery.objects.count() == 4 and Delivery.objects.filter(state="pending").count() == 1

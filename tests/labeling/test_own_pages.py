"""The pages and the API of one's own answers: nobody sees or withdraws another's."""

import json

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from labeling import checks, own_answers, questions, results
from labeling.models import Annotator, Answer, Project, Question, RemovedAnswer, Tile, Withdrawal
from tests.cast import answer
from tests.labeling.api.test_challenges import ask, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitor(client, shapes) -> Client:
    """Return the browser of a visitor who has answered a grid."""
    submit(client, ask(client, kind="grid")["token"], selected=[1])
    return client


def post(client: Client, path: str, **body):
    return client.post(path, body, content_type="application/json")


def test_a_newcomer_has_no_answers(client, shapes):
    page = client.get("/your-answers/")
    assert page.status_code == 200 and b"not answered anything" in page.content
    assert b'href="/your-answers/"' not in page.content
    assert client.get("/api/v1/me/").status_code == 404


def test_the_page_lists_answers_with_pictures_and_leads_from_everywhere(visitor):
    page = visitor.get("/your-answers/")
    assert page.status_code == 200
    assert page.content.count(b"/api/v1/me/answers/") == 9
    assert b'href="/your-answers/"' in visitor.get("/").content
    pk = Answer.objects.first().pk
    picture = visitor.get(f"/api/v1/me/answers/{pk}/picture/")
    assert picture.status_code == 200 and picture["Cache-Control"].startswith("private")


def test_what_became_of_an_answer_is_told_a_day_later_and_the_page_says_so(visitor, monkeypatch):
    monkeypatch.setattr(checks, "REVEALED_SHARE", 0.0)
    Question.objects.filter(answers__isnull=False).exclude(state="gold").update(state="settled")
    text = visitor.get("/your-answers/").content.decode()
    assert text.count("a day after your answer") == 1
    assert text.count("Not told yet") == 9 and "Being asked" not in text
    Answer.objects.update(created_at=timezone.now() - results.REVEALED_AFTER)
    text = visitor.get("/your-answers/").content.decode()
    assert text.count("Certain now") == 9 and "Not told yet" not in text
    Question.objects.filter(state="settled").update(state="open")
    assert visitor.get("/your-answers/").content.decode().count("Being asked") == 9


def test_nothing_tells_gold_apart(visitor, shapes):
    rows = visitor.get("/api/v1/me/answers/").json()["results"]
    assert {row["state"] for row in rows} == {"open"}
    assert {json.dumps(row["others"]) for row in rows} == {"null"}
    text = visitor.get("/your-answers/").content.decode() + json.dumps(rows)
    assert "gold" not in text.lower() and "reason" not in text


def test_nobody_sees_or_withdraws_anothers(visitor, shapes, carol):
    row = Answer.objects.select_related("challenge").first()
    other = Client()
    submit(other, ask(other, kind="verify")["token"], yes=True)
    assert other.get(f"/api/v1/me/answers/{row.pk}/picture/").status_code == 404
    assert post(other, f"/api/v1/me/answers/{row.pk}/withdraw/").status_code == 404
    assert post(other, f"/api/v1/me/challenges/{row.challenge_id}/withdraw/").status_code == 404
    assert other.get("/your-answers/withdraw/", {"answer": row.pk}).status_code == 404
    assert other.post("/your-answers/withdraw/", {"challenge": row.challenge_id}).status_code == 404
    assert Answer.objects.filter(pk=row.pk).exists() and not Withdrawal.objects.exists()


@pytest.mark.parametrize("value", ["x", "0", "99999999999999999999", "1 OR 1", "\0"])
def test_an_address_that_is_none_is_not_found(visitor, value):
    for name in ("answer", "caption", "challenge", "project"):
        assert visitor.get("/your-answers/withdraw/", {name: value}).status_code == 404
    assert visitor.get("/api/v1/me/answers/99999999999999999999/picture/").status_code == 404
    assert visitor.get("/your-answers/", {"before": f"{value}-"}).status_code == 404
    assert visitor.get("/api/v1/me/answers/", {"cursor": f"-{value}"}).status_code == 404


def test_nobody_learns_of_a_project_in_which_they_did_not_answer(visitor, shapes):
    Project.objects.create(slug="secret", name="Secret", private=True)
    assert visitor.get("/your-answers/withdraw/", {"project": "secret"}).status_code == 404
    assert visitor.get("/your-answers/", {"project": "secret"}).status_code == 404
    assert visitor.get("/api/v1/me/answers/", {"project": "secret"}).status_code == 404
    assert post(visitor, "/api/v1/me/withdraw/", all=True, project="secret").status_code == 404


def test_one_answer_is_withdrawn_after_confirmation(visitor):
    pk = Answer.objects.first().pk
    page = visitor.get("/your-answers/withdraw/", {"answer": pk})
    assert b"Withdraw this answer?" in page.content and Answer.objects.count() == 9
    assert visitor.post("/your-answers/withdraw/", {"answer": pk}).status_code == 302
    assert Answer.objects.count() == 8 and not Answer.objects.filter(pk=pk).exists()
    assert visitor.get("/api/v1/me/").json()["withdrawn"] == 1


def test_all_are_withdrawn_only_if_that_is_said(visitor):
    assert post(visitor, "/api/v1/me/withdraw/", all=False).status_code == 400
    assert post(visitor, "/api/v1/me/withdraw/").status_code == 400
    assert Answer.objects.count() == 9
    response = post(visitor, "/api/v1/me/withdraw/", all=True, project="shapes")
    assert response.json() == {"answers": 9, "captions": 0}
    assert visitor.get("/your-answers/").status_code == 200


def test_it_asks_for_a_csrf_token(visitor):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = visitor.cookies
    assert strict.post("/your-answers/withdraw/", {"all": "1"}).status_code == 403
    assert post(strict, "/api/v1/me/withdraw/", all=True).status_code == 403
    assert Answer.objects.count() == 9


def test_pages_follow_one_another_without_gap(shapes, mallory, monkeypatch):
    monkeypatch.setattr(own_answers, "PAGE", 4)
    wanted = list(shapes.questions.filter(kind="concept").values_list("pk", flat=True)[:10])
    answer(mallory, dict.fromkeys(wanted, True))
    seen, before = [], ""
    while True:
        page = own_answers.page(mallory, before=before)
        seen += [own.pk for own in page.answers]
        before = page.before
        if not before:
            break
    assert seen == sorted(mallory.answers.values_list("pk", flat=True), reverse=True)


def test_a_page_takes_few_queries(shapes, mallory, django_assert_max_num_queries):
    wanted = list(shapes.questions.values_list("pk", flat=True)[:40])
    answer(mallory, dict.fromkeys(wanted, True))
    with django_assert_max_num_queries(4):
        assert len(own_answers.page(mallory).answers) == own_answers.PAGE


def test_ones_data_is_downloaded_whole(visitor, shapes):
    annotator = Annotator.objects.get()
    tile = Tile.objects.filter(image__project=shapes, grid=1)[0]
    questions.ask_captions(
        captions=[(tile, "some words")], source="annotator", author=annotator, prior=0.6
    )
    response = visitor.get("/api/v1/me/data/")
    assert "attachment" in response["Content-Disposition"]
    data = json.loads(response.getvalue())
    assert len(data["answers"]) == 9 and data["captions"][0]["text"] == "some words"
    assert data["answers"][0].keys() == {"project", "question", "answer", "answered_at", "seconds"}


def test_a_visitor_is_forgotten_with_their_answers(visitor):
    assert visitor.post("/your-answers/forget-me/").status_code == 400
    response = visitor.post("/your-answers/forget-me/", {"answers": "withdraw"})
    assert response.status_code == 302
    assert not Answer.objects.exists() and not Annotator.objects.exists()
    withdrawal = Withdrawal.objects.get()
    assert (withdrawal.answers, withdrawal.annotator) == (9, None)
    assert visitor.cookies[settings.PSEUDONYM_COOKIE].value == ""
    assert response["Clear-Site-Data"] == '"storage"', "answers that wait in the browser go, too"


def test_or_the_answers_stay_under_a_name_that_is_nobodys(visitor):
    cookie = visitor.cookies[settings.PSEUDONYM_COOKIE].value
    response = visitor.post("/your-answers/forget-me/", {"answers": "leave"})
    assert b"You are forgotten" in visitor.get(response.url).content
    assert Answer.objects.count() == 9
    again = Client()
    again.cookies[settings.PSEUDONYM_COOKIE] = cookie
    assert again.get("/api/v1/me/").status_code == 404


def test_a_name_leaves_the_archive_of_answers(shapes, alice, ada):
    from labeling import removal, withdrawals

    question = shapes.questions.filter(kind="concept", state="open").first()
    answer(alice, {question.pk: True})
    removal.remove([question.tile.image], by=ada, reason="Blurred.")
    withdrawals.forget(annotator=alice, keep_answers=False)
    assert RemovedAnswer.objects.get().annotator_name == ""
    assert not Question.objects.filter(pk=question.pk).exists()

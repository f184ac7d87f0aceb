"""Text questions over HTTP: sentences without a picture."""

import pytest

from labeling.models import Answer, Challenge, Comment, Question

pytestmark = pytest.mark.django_db
API = "/api/v1/challenges/"


def post(client, path: str, body: object):
    return client.post(path, body, content_type="application/json")


def ask(client):
    return post(client, API, {"project": "shapes", "kind": "text"})


def test_it_shows_sentences_and_no_picture(client, described):
    described.language = "ar"
    described.save()
    shown = ask(client)
    assert shown.status_code == 201
    body = shown.json()
    assert (body["kind"], body["tiles"], body["concept"]) == ("text", [], None)
    assert body["before"] == "Which of these two is about the same thing as"
    assert (body["lang"], body["dir"], body["after"]) == ("ar", "auto", "?")
    assert [each["number"] for each in body["sentences"]] == [1, 2]
    assert {(each["lang"], each["dir"]) for each in body["sentences"]} == {("ar", "auto")}
    reference, *options = Challenge.objects.get().sentences
    assert body["subject"] == Question.objects.get(pk=reference).text
    texts = [each["text"] for each in body["sentences"]]
    assert texts == [Question.objects.get(pk=pk).text for pk in options]
    assert client.get(f"{API}{body['token']}/tiles/1/").status_code == 404


def test_other_kinds_have_no_sentences(client, described):
    shown = post(client, API, {"project": "shapes", "kind": "grid"})
    assert shown.json()["sentences"] == []


@pytest.mark.parametrize("choice", [0, 1, 2])
def test_a_choice_is_an_answer(client, described, choice):
    token = ask(client).json()["token"]
    outcome = post(client, f"{API}{token}/answer/", {"choice": choice, "seconds": 3})
    assert outcome.status_code == 200
    assert outcome.json()["recorded"] == 1
    challenge = Challenge.objects.get()
    is_caption = choice > 0 and challenge.sentences[choice] == challenge.questions[0]
    assert Answer.objects.get().value is is_caption


@pytest.mark.parametrize(
    "body", [{}, {"choice": 3}, {"choice": -1}, {"choice": "1"}, {"yes": True}]
)
def test_anything_else_changes_nothing(client, described, body):
    token = ask(client).json()["token"]
    assert post(client, f"{API}{token}/answer/", body).status_code == 400
    assert not Answer.objects.exists()
    assert post(client, f"{API}{token}/answer/", {"choice": 0}).status_code == 200


def test_without_captions_there_is_nothing_to_ask(client, shapes):
    shapes.questions.filter(kind="caption").delete()
    assert ask(client).status_code == 204


def test_hostile_sentences_are_data(client, described):
    texts = ['<img src=x onerror="alert(1)">', "\u200f\u05d0 & </h1>", "long " * 99]
    for question, text in zip(
        described.questions.filter(kind="caption", state="open").order_by("pk"), texts, strict=False
    ):
        Question.objects.filter(pk=question.pk).update(text=text)
    for _ in range(8):
        body = ask(client).json()
        assert body["before"].startswith("Which") and len(body["sentences"]) == 2


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_sentence_can_be_flagged(client, described, ada_client, number):
    token = ask(client).json()["token"]
    body = {"kind": "offensive", "text": "rude"}
    assert post(client, f"{API}{token}/tiles/{number}/flag/", body).status_code == 201
    assert post(client, f"{API}{token}/tiles/{number}/flag/", body).status_code == 200
    reference, *options = Challenge.objects.get().sentences
    flag = Comment.objects.get()
    assert flag.question_id == [*options, reference][number - 1]
    assert flag.tile_id == flag.question.tile_id
    page = ada_client.get("/projects/shapes/flags/")
    assert flag.question.text in page.content.decode()


def test_there_is_no_fourth_sentence(client, described):
    token = ask(client).json()["token"]
    flagged = post(client, f"{API}{token}/tiles/4/flag/", {"kind": "wording"})
    assert flagged.status_code == 404


def test_an_owner_previews_one(ada_client, described):
    body = ada_client.get("/api/v1/projects/shapes/preview/?kind=text").json()
    assert len(body["sentences"]) == 2 and body["tiles"] == []
    assert not Challenge.objects.exists()

"""Django's lists: searched by index, counted no further than need be, records left alone."""

from itertools import product

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from labeling import answers, challenges
from labeling.admin import base
from labeling.models import Annotator, Answer, Image, Project, Question

LISTS = "annotator", "answer", "challenge", "concept", "image", "project", "question", "tile"
NOISE = "9" * 5_000, "\0", "'; --", "99999999999999999999", "🐸", "a & !(", "ab12cd"


def found(client: Client, address: str) -> int:
    response = client.get(f"/admin/labeling/{address}")
    assert response.status_code == 200
    count: int = response.context["cl"].result_count
    return count


@pytest.fixture
def answered(shapes: Project, alice: Annotator, bob: Annotator) -> list[Question]:
    questions = list(Question.objects.filter(state="open")[:6])
    for annotator in (alice, bob):
        values = {question.pk: True for question in questions}
        answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, "wanted"))
    return questions


def test_every_list_opens(ada_client: Client, answered: list[Question]) -> None:
    for name in LISTS:
        assert ada_client.get(f"/admin/labeling/{name}/").status_code == 200, name


def test_numbers_are_shown_to_three_digits(
    ada_client: Client, shapes: Project, answered: list[Question]
) -> None:
    Answer.objects.update(probability_before=0.9735941874886335, seconds=3.14159)
    shapes.concepts.update(prevalence=0.23529411764705882)
    answer, concept = Answer.objects.all()[0].pk, shapes.concepts.all()[0].pk
    page = ada_client.get(f"/admin/labeling/answer/{answer}/change/").content.decode()
    assert ">0.974<" in page and "0.9735" not in page
    assert ">3.14<" in ada_client.get("/admin/labeling/answer/").content.decode()
    for address in ("concept/", f"concept/{concept}/change/"):
        page = ada_client.get(f"/admin/labeling/{address}").content.decode()
        assert ">0.235<" in page and "0.2352" not in page


def test_a_challenge_is_titled_by_its_kind_in_words(
    ada_client: Client, shapes: Project, alice: Annotator
) -> None:
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")
    assert challenge
    page = ada_client.get(f"/admin/labeling/challenge/{challenge.pk}/change/").content.decode()
    assert f"3 × 3 tiles of many pictures ({str(challenge.pk)[:8]})" in page


def test_every_list_can_be_searched_for_anything(
    ada_client: Client, answered: list[Question]
) -> None:
    for name, term in product(LISTS, NOISE):
        response = ada_client.get(f"/admin/labeling/{name}/", {"q": term})
        assert response.status_code in {200, 302}, (name, term)


def test_a_list_asks_no_query_for_each_row(
    ada_client: Client,
    answered: list[Question],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for name in ("answer", "image", "question", "tile"):
        with django_assert_max_num_queries(16):
            ada_client.get(f"/admin/labeling/{name}/")


def test_a_question_is_found_by_number_concept_or_words(
    ada_client: Client, shapes: Project
) -> None:
    assert found(ada_client, f"question/?q={Question.objects.all()[0].pk}") == 1
    assert found(ada_client, "question/?q=circle") == 24 + 12  # the concept's, and captions
    assert found(ada_client, "question/?q=purple+circle") == 2


def test_an_answer_is_found_by_its_annotator(ada_client: Client, answered: list[Question]) -> None:
    assert found(ada_client, "answer/?q=alice") == len(answered)
    assert found(ada_client, "answer/?q=nobody") == 0


def test_an_image_is_found_by_keyword_or_hash(ada_client: Client, shapes: Project) -> None:
    image = Image.objects.all()[0]
    Image.objects.filter(pk=image.pk).update(keywords=["Apple"], stated_keys=["apple"])
    assert found(ada_client, "image/?q=Apple") == 1
    assert found(ada_client, f"image/?q={image.sha256[:12]}") == 1


def test_real_and_drawn_pictures_are_told_apart(ada_client: Client, shapes: Project) -> None:
    Image.objects.filter(pk=Image.objects.all()[0].pk).update(generated=True)
    assert found(ada_client, "image/?origin=generated") == 1
    assert found(ada_client, "image/?origin=real") == 23


def test_many_rows_are_estimated(shapes: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = base.QuickPaginator(Question.objects.order_by("pk"), 50)
    assert (exact.count, exact.estimated) == (Question.objects.count(), False)
    monkeypatch.setattr(base, "COUNTED", 10)
    rough = base.QuickPaginator(Question.objects.order_by("pk"), 50)
    assert rough.count > 10
    assert rough.estimated


def test_a_project_with_pictures_cannot_be_deleted(ada_client: Client, shapes: Project) -> None:
    address = f"/admin/labeling/project/{shapes.pk}/delete/"
    page = ada_client.post(address, {"post": "yes"}, follow=True)
    assert "answers are never lost: archive it instead" in page.text
    empty = Project.objects.create(state="open", slug="empty", name="Empty")
    ada_client.post(f"/admin/labeling/project/{empty.pk}/delete/", {"post": "yes"})
    assert list(Project.objects.all()) == [shapes]


def test_deleting_a_user_cannot_lose_answers(
    ada_client: Client, answered: list[Question], alice: Annotator
) -> None:
    user = User.objects.create_user("alice")
    Annotator.objects.filter(pk=alice.pk).update(user=user)
    response = ada_client.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})
    assert response.status_code == 403
    assert Answer.objects.filter(annotator=alice).count() == len(answered)


def test_thresholds_must_make_sense(ada_client: Client, shapes: Project) -> None:
    form = ada_client.get(f"/admin/labeling/project/{shapes.pk}/change/").context["adminform"].form
    data = {name: value for name, value in form.initial.items() if value is not None}
    data["active"] = "on"
    address = f"/admin/labeling/project/{shapes.pk}/change/"
    refused = ada_client.post(address, {**data, "settle_at": 1.2})
    assert refused.status_code == 200
    assert refused.context["adminform"].form.errors["settle_at"]
    assert ada_client.post(address, {**data, "settle_at": 0.9}).status_code == 302
    shapes.refresh_from_db()
    assert shapes.settle_at == 0.9

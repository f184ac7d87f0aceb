"""The wall: how far a project is, and the questions that people disagree on."""

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from labeling import decisions
from labeling import review as labels
from labeling.models import Concept, Membership, Project, Question
from tests.cast import allow

UNREADABLE = [
    "after=rubbish",
    "after=nan_1",
    "after=1e999_1",
    "after=0.5_99999999999999999999",
    "after=0_-1",
    "concept=999999",
    "concept=%00",
    "state=nonsense",
    "kind=%F0%9F%90%B8",
    "decided=perhaps",
]


def review(project: Project) -> str:
    return f"/projects/{project.slug}/labels/"


def shown(client: Client, address: str, **filters: str | int) -> list[int]:
    response = client.get(address, filters)
    assert response.status_code == 200
    return [question.pk for question, _ in response.context["tiles"]]


def test_it_shows_disagreements_first(
    ada_client: Client, shapes: Project, disputed: Question
) -> None:
    assert shown(ada_client, review(shapes))[0] == disputed.pk


def test_it_tells_how_far_the_project_is(
    ada_client: Client, shapes: Project, disputed: Question
) -> None:
    page = ada_client.get(review(shapes))
    open_questions = Question.objects.filter(project=shapes, state="open").count()
    assert ("open", open_questions) in [part[:2] for part in page.context["progress"]["parts"]]
    totals = page.context["progress"]["totals"]
    assert (totals.answers, totals.answered, totals.pairs, totals.implicit) == (2, 1, 48, 0)


def test_it_filters_by_why_a_question_is_stored(ada_client: Client, shapes: Project) -> None:
    nominated = Question.objects.filter(state="open", kind="concept")[0]
    Question.objects.filter(pk=nominated.pk).update(reason="doubtful")
    assert shown(ada_client, review(shapes), reason="doubtful") == [nominated.pk]


def test_it_filters(ada_client: Client, shapes: Project) -> None:
    for name, value in {"state": "gold", "kind": "caption", "source": "import"}.items():
        found = Question.objects.filter(pk__in=shown(ada_client, review(shapes), **{name: value}))
        assert found
        assert {getattr(question, name) for question in found} == {value}


def test_it_filters_by_concept(ada_client: Client, shapes: Project) -> None:
    circle = Concept.objects.get(name="circle")
    found = Question.objects.filter(pk__in=shown(ada_client, review(shapes), concept=circle.pk))
    assert {question.concept for question in found} == {circle}


def test_gold_does_not_wait_for_a_decision(ada_client: Client, shapes: Project) -> None:
    found = Question.objects.filter(pk__in=shown(ada_client, review(shapes)))
    assert not found.filter(state="gold").exists()


def test_a_decided_question_leaves_the_wall(
    ada: User, ada_client: Client, shapes: Project, disputed: Question
) -> None:
    labels.decide(question=disputed, value=True, by=ada)
    assert disputed.pk not in shown(ada_client, review(shapes))
    assert shown(ada_client, review(shapes), decided="yes") == [disputed.pk]


def test_its_pages_hold_every_question_once(
    ada_client: Client, shapes: Project, disputed: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeling.project_pages.review_queue.PAGE", 10)
    seen, position = [], ""
    while position is not None:
        page = ada_client.get(review(shapes), {"after": str(position), "decided": "all"})
        seen += [question.pk for question, _ in page.context["tiles"]]
        position = page.context["more"]
    assert seen[0] == disputed.pk
    assert sorted(seen) == sorted(Question.objects.values_list("pk", flat=True))


def test_it_says_which_filter_it_cannot_read(ada_client: Client, shapes: Project) -> None:
    for query in UNREADABLE:
        page = ada_client.get(f"{review(shapes)}?{query}")
        assert page.status_code == 200
        assert b"errorlist" in page.content, query
        assert page.context["tiles"], query


def test_it_knows_no_other_project(ada_client: Client, db: None) -> None:
    assert ada_client.get("/projects/nowhere/labels/").status_code == 404


def test_a_visitor_is_sent_to_sign_in(client: Client, shapes: Project) -> None:
    assert client.get(review(shapes)).status_code == 302


def test_it_is_for_members_of_the_project(client: Client, shapes: Project, carol: User) -> None:
    client.force_login(carol)
    assert client.get(review(shapes)).status_code == 404
    Membership.objects.create(project=shapes, user=carol, role="viewer")
    assert client.get(review(shapes)).status_code == 200


def test_staff_without_permission_see_nothing(client: Client, shapes: Project, bea: User) -> None:
    client.force_login(bea)
    question = Question.objects.all()[0]
    addresses = {
        review(shapes): 404,
        f"/projects/shapes/questions/{question.pk}/": 404,
        f"/admin/labeling/tile/{question.tile_id}/picture/": 403,
    }
    assert {each: client.get(each).status_code for each in addresses} == addresses


def test_the_first_page_leads_to_each_review(ada_client: Client, shapes: Project) -> None:
    assert review(shapes).encode() in ada_client.get("/admin/").content


def test_staff_who_may_not_review_are_not_led_there(
    client: Client, shapes: Project, bea: User
) -> None:
    allow(bea, "view_question")
    client.force_login(bea)
    assert review(shapes).encode() not in client.get("/admin/").content


def test_the_admins_lists_show_pictures(ada_client: Client, shapes: Project) -> None:
    tile = Question.objects.all()[0].tile_id
    response = ada_client.get(f"/admin/labeling/tile/{tile}/picture/")
    assert response["Content-Type"] == "image/webp"
    assert response.content[8:12] == b"WEBP"
    assert ada_client.get("/admin/labeling/tile/987654/picture/").status_code == 404


def test_a_page_asks_no_query_for_each_tile(
    ada_client: Client,
    shapes: Project,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    cache.clear()  # which other tests may have filled
    with django_assert_max_num_queries(31):
        ada_client.get(review(shapes))


def select(*questions: Question) -> list[str]:
    return [f"{question.pk}:{question.standing}" for question in questions]


def test_all_that_are_selected_are_decided_and_it_can_be_undone(
    ada_client: Client, shapes: Project
) -> None:
    chosen = list(Question.objects.filter(state="open", kind="concept")[:3])
    there = review(shapes) + "?kind=concept"
    form = {"decision": "no", "question": select(*chosen)}
    page = ada_client.post(review(shapes) + "decide/?kind=concept", form, follow=True)
    assert page.redirect_chain == [(there, 302)]
    assert "Decided no: 3 questions." in page.content.decode()
    assert Question.objects.filter(verdict=False, decided_by__isnull=False).count() == 3
    undo = {"batch": page.context["undoable"].pk}
    page = ada_client.post(review(shapes) + "undo/", undo, follow=True)
    assert "Put back as before: 3 questions." in page.content.decode()
    assert not Question.objects.filter(decided_by__isnull=False).exists()
    page = ada_client.post(review(shapes) + "undo/", undo, follow=True)
    assert "cannot be undone any more" in page.content.decode()


def test_it_says_what_was_left_as_it_was_and_why(
    ada_client: Client, shapes: Project, bea: User
) -> None:
    chosen = list(Question.objects.filter(state="open", kind="concept")[:3])
    form = {"decision": "yes", "question": select(*chosen)}
    labels.decide(question=Question.objects.get(pk=chosen[0].pk), value=False, by=bea)
    page = ada_client.post(review(shapes) + "decide/", form, follow=True).content.decode()
    assert "Decided yes: 2 questions." in page
    assert "Left as it was: 1 decided no by bea since you looked." in page


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"decision": "yes"},
        {"decision": "yes", "question": ["x", "1:maybe", "9" * 30 + ":"]},
        {"decision": "burn", "question": ["1:"]},
        {"decision": "yes", "question": [f"{number}:" for number in range(1, 502)]},
    ],
)
def test_a_selection_that_makes_no_sense_changes_nothing(
    ada_client: Client, shapes: Project, form: dict[str, object]
) -> None:
    page = ada_client.post(review(shapes) + "decide/", form, follow=True)
    assert "nothing was changed" in page.content.decode()
    assert not Question.objects.filter(decided_by__isnull=False).exists()


def test_only_reviewers_decide_and_undo_only_what_they_did(
    client: Client, ada: User, shapes: Project, carol: User
) -> None:
    question = Question.objects.filter(state="open", kind="concept")[0]
    batch = decisions.decide_many(
        project=shapes, choice="yes", seen={question.pk: None}, by=ada
    ).batch
    assert batch is not None
    member = Membership.objects.create(project=shapes, user=carol, role="viewer")
    client.force_login(carol)
    assert b'name="question"' not in client.get(review(shapes)).content
    for address in ("decide/", "undo/"):
        assert client.post(review(shapes) + address, {}).status_code == 403
        assert client.get(review(shapes) + address).status_code == 405
    Membership.objects.filter(pk=member.pk).update(role="reviewer")
    assert b'name="question"' in client.get(review(shapes)).content
    page = client.post(review(shapes) + "undo/", {"batch": batch.pk}, follow=True)
    assert "cannot be undone" in page.content.decode()
    question.refresh_from_db()
    assert question.verdict is True


def test_it_filters_by_what_the_reviewer_decided(
    ada: User, ada_client: Client, bea: User, shapes: Project
) -> None:
    first, second = Question.objects.filter(state="open", kind="concept")[:2]
    labels.decide(question=first, value=True, by=ada)
    labels.decide(question=second, value=True, by=bea)
    assert shown(ada_client, review(shapes), decided="mine") == [first.pk]

"""Concepts in the admin: created, changed, switched off, merged and deleted."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from labeling.models import Concept, Project
from tests.cast import allow, answer

pytestmark = pytest.mark.django_db
LIST = "/admin/labeling/concept/"
ADD = f"{LIST}add/"


@pytest.fixture
def circle(shapes) -> Concept:
    return shapes.concepts.get(name="circle")


@pytest.fixture
def square(shapes) -> Concept:
    return shapes.concepts.get(name="square")


def form(concept: Concept | None = None, **changes) -> dict[str, object]:
    """What the form sends: that of a concept, or of a new one."""
    body = {"name": "", "phrase": "", "aliases": "", "value": "1.0", "active": "on"}
    if concept is not None:
        body |= {"name": concept.name, "phrase": concept.phrase, "value": concept.value}
        body |= {"aliases": "\r\n".join(concept.aliases), "keep_name": "on"}
    return {name: value for name, value in (body | changes).items() if value is not None}


def page_of(concept: Concept) -> str:
    return reverse("admin:labeling_concept_change", args=[concept.pk])


def merge_page(*concepts: Concept) -> str:
    return f"{LIST}merge/?" + "&".join(f"concept={concept.pk}" for concept in concepts)


def text(response) -> str:
    return " ".join(response.content.decode().split())


@pytest.mark.django_db(transaction=True)
def test_a_concept_made_here_is_in_a_visitors_next_challenges(shapes, ada_client):
    visitor = Client()

    def subjects(count: int) -> set[str]:
        body = {"project": "shapes", "kind": "grid"}
        shown = [
            visitor.post("/api/v1/challenges/", body, content_type="application/json").json()
            for _ in range(count)
        ]
        for each in shown:
            visitor.post(
                f"/api/v1/challenges/{each['token']}/skip/", content_type="application/json"
            )
        return {each["subject"] for each in shown}

    assert "a ring" not in subjects(3)
    response = ada_client.post(ADD, form(project=shapes.pk, name="ring", aliases="hoop, O\n"))
    assert response.status_code == 302
    concept = shapes.concepts.get(name="ring")
    assert (concept.phrase, concept.aliases) == ("a ring", ["hoop", "O"])
    assert "a ring" in subjects(8)


def test_a_new_concept_leads_to_those_of_its_project(shapes, ada_client):
    garden = Project.objects.create(state="open", slug="garden", name="Garden")
    sent = form(project=garden.pk, name="rose")
    listed = text(ada_client.post(ADD, sent, follow=True))
    assert "1 concept" in listed
    assert "a rose" in listed and "a circle" not in listed


def test_a_name_that_is_taken_is_said_beside_the_form(shapes, ada_client, circle):
    response = ada_client.post(ADD, form(project=shapes.pk, name="Circle"))
    assert "there is a concept “circle” already" in text(response)
    response = ada_client.post(page_of(circle), form(circle, aliases="square"))
    assert "there is a concept “square” already" in text(response)
    assert shapes.concepts.count() == 2


def test_a_new_name_keeps_the_old_one_unless_it_is_unwanted(shapes, ada_client, circle):
    ada_client.post(page_of(circle), form(circle, name="disc"))
    circle.refresh_from_db()
    assert (circle.name, circle.phrase, circle.aliases) == ("disc", "a disc", ["circle"])
    ada_client.post(page_of(circle), form(circle, name="orb", keep_name=None))
    circle.refresh_from_db()
    assert (circle.name, circle.aliases) == ("orb", ["circle"])


def test_an_alias_with_a_comma_stays_whole(shapes, ada_client, circle):
    Concept.objects.filter(pk=circle.pk).update(aliases=["ring, small"])
    circle.refresh_from_db()
    ada_client.post(page_of(circle), form(circle, aliases="ring, small\r\ndisc, round"))
    circle.refresh_from_db()
    assert circle.aliases == ["ring, small", "disc", "round"]


@pytest.mark.django_db(transaction=True)
def test_the_list_switches_a_concept_off(shapes, ada_client, client, square):
    body = {"project": "shapes", "kind": "grid"}
    assert client.post("/api/v1/challenges/", body, content_type="application/json").content
    rows = ada_client.get(LIST).context["cl"].formset
    sent = {f"{rows.prefix}-TOTAL_FORMS": len(rows.forms), f"{rows.prefix}-INITIAL_FORMS": 2}
    for row in rows.forms:
        sent |= {row.add_prefix("id"): row.instance.pk, row.add_prefix("value"): "1.0"}
        if row.instance != square:
            sent |= {row.add_prefix("active"): "on"}
    assert ada_client.post(LIST, sent | {"_save": "Save"}).status_code == 302
    square.refresh_from_db()
    assert not square.active
    shown = [
        client.post("/api/v1/challenges/", body, content_type="application/json") for _ in range(4)
    ]
    assert {each.json()["subject"] for each in shown if each.content} == {"a circle"}


def test_a_concept_with_answers_says_why_it_is_not_deleted(
    shapes, ada_client, alice, circle, square
):
    answer(alice, {circle.questions.filter(state="open").first().pk: True})
    page = text(ada_client.get(page_of(circle)))
    assert "1, which are never deleted. It can be switched off, or" in page
    assert f"{page_of(circle)[:-7]}delete/" not in page
    response = ada_client.post(f"{LIST}{circle.pk}/delete/", {"post": "yes"}, follow=True)
    assert "“circle” has 1 answer, which are never deleted" in text(response)
    assert "it may be deleted" in text(ada_client.get(page_of(square)))
    confirm = text(ada_client.get(f"{LIST}{square.pk}/delete/"))
    assert "questions that nobody has answered" in confirm
    ada_client.post(f"{LIST}{square.pk}/delete/", {"post": "yes"})
    assert [concept.name for concept in shapes.concepts.all()] == ["circle"]


def test_the_selected_concepts_are_merged_into_the_one_that_stays(
    shapes, ada_client, alice, circle, square
):
    answer(alice, {square.questions.filter(state="open").first().pk: True})
    chosen = {"action": "merge_selected", "_selected_action": [circle.pk, square.pk]}
    response = ada_client.post(LIST, chosen, follow=True)
    page = text(response)
    assert "Which one stays?" in page and "square (a square): 1 answer" in page
    assert response.context["form"].fields["into"].initial == square.pk
    response = ada_client.post(
        response.request["PATH_INFO"] + "?" + response.request["QUERY_STRING"],
        {"into": circle.pk},
        follow=True,
    )
    assert "Merged “square” into “circle”" in text(response)
    assert "1 answer moved, 0 kept beside." in text(response)
    square.refresh_from_db()
    assert square.merged_into == circle and not square.active
    log = LogEntry.objects.filter(change_message__startswith="Merged")
    assert {entry.object_id for entry in log} == {str(circle.pk), str(square.pk)}


def test_one_concept_is_merged_into_any_other(shapes, ada_client, circle, square):
    page = text(ada_client.get(page_of(circle)))
    assert merge_page(circle) in page
    assert "becomes an alias of the concept that you choose" in text(
        ada_client.get(merge_page(circle))
    )
    ada_client.post(merge_page(circle), {"into": square.pk})
    circle.refresh_from_db()
    assert circle.merged_into == square


def test_what_cannot_be_merged_is_said(shapes, ada_client, circle, square, garden):
    tree = Concept.objects.create(project=garden, name="tree", phrase="a tree")
    response = ada_client.get(merge_page(circle, tree), follow=True)
    assert "Only concepts of one project can be merged" in text(response)
    assert "Choose the concepts" in text(ada_client.get(f"{LIST}merge/?concept=x", follow=True))
    response = ada_client.post(merge_page(circle, square), {"into": tree.pk})
    assert "Select a valid choice" in text(response)
    assert not Concept.objects.filter(merged_into__isnull=False).exists()


def test_a_merged_concept_is_hidden_and_only_shown(shapes, ada_client, circle, square):
    ada_client.post(merge_page(circle), {"into": square.pk})
    assert page_of(circle) not in text(ada_client.get(LIST))
    assert "merged into “square”" in text(ada_client.get(f"{LIST}?merged=yes"))
    page = ada_client.get(page_of(circle))
    assert page.status_code == 200 and not page.context["has_change_permission"]
    assert ada_client.post(page_of(circle), form(circle, active="on")).status_code == 403


def test_staff_without_the_permission_merge_nothing(shapes, bea, client, circle, square):
    allow(bea, "view_concept")
    client.force_login(bea)
    assert client.get(LIST).status_code == 200
    assert client.post(merge_page(circle), {"into": square.pk}).status_code == 403
    assert "Merge …" not in text(client.get(page_of(circle)))

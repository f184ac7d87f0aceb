"""Visitors of other sites, who may be millions, among those who came to a project themselves."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling import annotators, notices, project_annotators, project_stats, webhooks
from labeling import visitors as visitors_of_pages
from labeling.captcha import sites
from labeling.models import Annotator, Delivery, Webhook
from labeling.webhooks import watching
from tests.cast import answer, distrust
from tests.site_visits import visit

pytestmark = pytest.mark.django_db
PAGES = "/projects/shapes/"
API = "/api/v1/"


@pytest.fixture
def site(shapes, ada):
    return sites.create(project=shapes, by=ada, name="The shop", hosts=["shop.example.com"])[0]


@pytest.fixture
def olgas(olga) -> Client:
    client = Client()
    client.force_login(olga)
    return client


def take_part(annotator, project, count=3):
    questions = project.questions.filter(kind="concept").order_by("pk")[:count]
    answer(annotator, {question.pk: True for question in questions})
    annotator.refresh_from_db()
    return annotator


@pytest.fixture
def visitors(site, shapes):
    """Two visitors of the shop, whose answers turned bad."""
    rows = [take_part(Annotator.objects.create(site=site), shapes) for _ in range(2)]
    for each in rows:
        distrust(each)
    return rows


def names(rows):
    return {str(each) for each in rows}


def test_reviewers_look_at_those_who_came_here_alone(shapes, visitors, mallory, olga):
    take_part(mallory, shapes)
    distrust(mallory)
    assert names(annotators.to_review(project=shapes)) == {"mallory"}
    assert names(annotators.to_review()) == {"mallory"}
    texts = [notice.text for notice in notices.of(shapes, olga)]
    assert "1 annotator to look at" in texts


def test_the_list_leaves_them_out_and_says_how_many_there_are(olgas, shapes, visitors, alice):
    take_part(alice, shapes)
    page = olgas.get(f"{PAGES}people/annotators/").content.decode()
    assert "alice" in page and "2 visitors of other sites" in page
    assert not any(str(each) in page for each in visitors)


def test_the_list_shows_them_where_they_are_asked_for(olgas, shapes, visitors, alice):
    take_part(alice, shapes)
    page = olgas.get(f"{PAGES}people/annotators/?only=visitors").content.decode()
    assert "alice" not in page
    assert all(str(each) in page for each in visitors)
    assert "Each attempt is one visitor" in page


def test_nobody_is_told_of_where_there_are_none(olgas, shapes, alice):
    take_part(alice, shapes)
    page = olgas.get(f"{PAGES}people/annotators/").content.decode()
    assert "of other sites</a>" not in page


def test_a_visitors_own_page_says_where_they_passed(olgas, visitors):
    page = olgas.get(f"{PAGES}people/annotators/{visitors[0].pk}/").content.decode()
    assert "A visitor of <bdi>The shop</bdi>" in page


def test_a_visitor_of_another_projects_site_is_not_listed(shapes, garden, ada, visitors):
    assert not project_annotators.listing(garden, only="visitors").exists()
    assert project_annotators.listing(shapes, only="visitors").count() == 2


def test_progress_counts_them_apart(olgas, shapes, visitors, alice, site):
    take_part(alice, shapes)
    Annotator.objects.create(site=site)  # whose answers were withdrawn
    progress = project_stats.progress(shapes)
    assert (progress.annotators, progress.visitors, progress.people) == (1, 2, 3)
    page = olgas.get(f"{PAGES}labels/").content.decode()
    assert "<b>1</b> annotator and <b>2</b> visitors of other sites" in page
    told = Client().get(f"{API}projects/shapes/").json()["progress"]
    assert (told["annotators"], told["visitors"]) == (1, 2)


def test_webhooks_tell_of_those_who_came_here_alone(shapes, ada, visitors, mallory):
    hook = webhooks.create(
        project=shapes, url="https://example.org/", events=["annotator.bad"], by=ada
    )
    Webhook.objects.update(spells_until=timezone.now())
    take_part(mallory, shapes)
    for each in (*visitors, mallory):
        each.start_suspect_spell(start=1, now=timezone.now())
    watching._look_for(Webhook.objects.get(pk=hook.pk), timezone.now())
    (told,) = Delivery.objects.all()
    assert f'"annotator": {mallory.pk}' in told.body


@pytest.mark.parametrize("address", ["annotators/", "projects/shapes/annotators/"])
def test_the_api_lists_them_where_they_are_asked_for(ada_client, shapes, visitors, alice, address):
    take_part(alice, shapes)

    def listed(query=""):
        rows = ada_client.get(f"{API}{address}{query}").json()["results"]
        return {row["name"] for row in rows}

    assert listed() == listed("?visitors=false") == {"alice"}
    assert listed("?visitors=true") == names(visitors)


def test_the_admin_lists_them_where_they_are_asked_for(ada_client, visitors, alice):
    def listed(query=""):
        page = ada_client.get(f"/admin/labeling/annotator/{query}")
        return names(page.context["cl"].result_list)

    assert listed() == {"alice"}
    assert listed("?origin=sites") == names(visitors)
    assert listed("?origin=all") == {"alice", *names(visitors)}


def test_those_whose_answers_are_gone_are_forgotten_as_others_are(site):
    old = Annotator.objects.create(site=site)
    Annotator.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=2))
    attempt = visit(site, annotator=old)
    visitors_of_pages.forget_unanswered()
    attempt.refresh_from_db()
    assert attempt.annotator is None and not Annotator.objects.filter(pk=old.pk).exists()

"""What an owner is told of questions without pictures."""

import pytest

from labeling import project_stats

pytestmark = pytest.mark.django_db


def read(client, page: str) -> str:
    return " ".join(client.get(f"/projects/shapes/{page}/").content.decode().split())


@pytest.mark.parametrize("page", ["settings", "labels"])
def test_an_owner_sees_how_many_captions_they_are_made_of(ada_client, described, page):
    text = read(ada_client, page)
    assert "<b>24</b> open captions can be asked about so" in text
    assert "<b>24</b> pictures that people are sure of. None is gold" in text


def test_an_owner_sees_what_they_need(ada_client, shapes):
    text = read(ada_client, "settings")
    assert "They are not offered yet: they need 8 pictures" in text
    assert "There are <b>0</b> such pictures and <b>0</b> such open captions." in text


def test_gold_captions_are_counted(ada_client, described):
    known = described.questions.filter(kind="caption", state="open").order_by("pk")[:1]
    described.questions.filter(pk__in=[each.pk for each in known]).update(
        state="gold", verdict=False, probability=0
    )
    assert "<b>23</b> open captions" in read(ada_client, "settings")
    assert "1 is gold." in read(ada_client, "labels")


def test_the_screen_offers_them_where_there_are_any(client, described):
    assert 'href="?kind=text"' in client.get("/take-part/shapes/").content.decode()
    described.questions.filter(kind="caption", state="open").delete()
    project_stats.forget(described)
    page = client.get("/take-part/shapes/").content.decode()
    assert "kind=text" not in page and "data-text-questions" not in page


def test_the_preview_offers_them_too(described, olga):
    page = member_page(described, olga)
    assert 'href="?kind=text"' in page


def member_page(project, user) -> str:
    from django.test import Client

    client = Client()
    client.force_login(user)
    return client.get(f"/projects/{project.slug}/preview/").content.decode()

"""The pages for reviewers, as a browser and assistive technology see them."""

import pytest
from playwright.sync_api import Page

from labeling import comments, review
from labeling.models import Question
from tests.axe import violations
from tests.cast import answer


@pytest.mark.django_db(transaction=True)
def test_the_pages_for_reviewers_are_accessible_to_all(
    page: Page, live_server, ada_client, ada, shapes, alice, bob
):
    questions = list(Question.objects.filter(kind="concept", state="open")[:6])
    for annotator, value in ((alice, True), (bob, False)):
        answer(annotator, {question.pk: value for question in questions})
    comments.flag(tile=questions[0].tile, kind="broken", question=questions[0], annotator=bob)
    review.decide(question=questions[1], value=True, by=ada, note="The corner shows it.")
    cookie = ada_client.cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": str(live_server)}])
    picture = questions[0].tile.image_id
    for address in (
        "labels/",
        "flags/",
        "agreement/?least=1",
        f"questions/{questions[0].pk}/",
        f"pictures/{picture}/labels/",
    ):
        page.goto(f"{live_server}/projects/shapes/{address}")
        assert violations(page) == [], address

"""The API speaks the language that a visitor chose, or that their browser accepts."""

import pytest
from django.test import Client
from django.utils import translation

from labeling import wording
from labeling.answers import Outcome
from labeling.api.challenges import message
from labeling.models import Challenge, Concept, ConceptPhrase, Project

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/challenges/"
JSON = "application/json"
FRENCH = {"Accept-Language": "fr-CA, en;q=0.5"}


def ask(client: Client, language: str, kind: str = "grid", **body: object) -> dict[str, object]:
    response = client.post(
        ADDRESS,
        {"project": "shapes", "kind": kind} | body,
        content_type=JSON,
        headers={"Accept-Language": language},
    )
    return response.json()


@pytest.fixture
def circle(shapes: Project) -> Concept:
    circle = shapes.concepts.get(name="circle")
    shapes.concepts.exclude(pk=circle.pk).update(active=False)
    for language, phrase in (("de", "ein Kreis"), ("ar", "دائرة")):
        ConceptPhrase.objects.create(concept=circle, language=language, phrase=phrase)
    return circle


def test_an_error_is_in_the_callers_language(client: Client, shapes: Project) -> None:
    response = client.post(f"{ADDRESS}forged/skip/", content_type=JSON, headers=FRENCH)
    assert response.status_code == 403
    assert response.json()["detail"] == (
        "Ce n'est pas une tâche de ce site\u00a0: demandez-en une nouvelle."
    )
    assert "Accept-Language" in response["Vary"] and response["Content-Language"] == "fr"


def test_an_address_without_anything_answers_in_the_callers_language(client: Client) -> None:
    response = client.get("/api/v1/nowhere/", headers={"Accept-Language": "es"})
    assert response.json()["detail"] == "Aquí no hay nada con ese nombre."


def test_a_mistake_in_a_request_is_told_in_the_callers_language(
    client: Client, shapes: Project
) -> None:
    challenge = ask(client, "zh-CN", "write")
    response = client.post(
        f"{ADDRESS}{challenge['token']}/answer/",
        {"text": "12 345"},
        content_type=JSON,
        headers={"Accept-Language": "zh-CN"},
    )
    assert response.json()["code"] == "invalid"
    assert response.json()["detail"] == "请用文字写下您看到的内容。"


def test_too_many_calls_are_refused_in_the_callers_language(
    client: Client, shapes: Project, settings
) -> None:
    settings.CHALLENGE_RATE = 1
    answers = [client.post(f"{ADDRESS}x/skip/", headers={"Accept-Language": "de"}) for _ in "abc"]
    assert answers[-1].status_code == 429
    assert "gedrosselt" in answers[-1].json()["detail"]  # REST framework's own words


def test_a_question_is_one_sentence_around_its_subject(client: Client, circle: Concept) -> None:
    shown = ask(client, "de", "grid")
    assert (shown["before"], shown["subject"], shown["after"]) == (
        "Wählen Sie alle Bilder, die Folgendes zeigen:",
        "ein Kreis",
        "",
    )
    assert (shown["asked_in"], shown["lang"], shown["dir"]) == ("de", "de", "ltr")
    spanish = ask(client, "es", "grid")  # in which the concept has no phrase
    assert str(spanish["before"]).startswith("Seleccione")
    assert (spanish["asked_in"], spanish["subject"], spanish["lang"]) == ("es", "a circle", "en")


def test_the_chosen_language_goes_before_the_accepted_ones(client: Client, circle: Concept) -> None:
    client.post("/language/setlang/", {"language": "ar", "next": "/"})
    shown = ask(client, "de, en;q=0.5")
    assert (shown["asked_in"], shown["subject"], shown["dir"]) == ("ar", "دائرة", "rtl")


@pytest.mark.parametrize("language", ["en", "de", "es", "fr", "ar", "zh-hans"])
def test_every_language_asks_about_the_subject_once(language: str, circle: Concept) -> None:
    for kind in (Challenge.Kind.GRID, Challenge.Kind.VERIFY):
        challenge = Challenge(kind=kind, concept_id=circle.pk, project=circle.project)
        with translation.override(language):
            asked = wording.of_challenge(challenge, [language])
        assert "%" not in asked.before + asked.after
        assert asked.before == asked.before.strip()


def test_an_outcome_counts_in_each_language() -> None:
    outcome = Outcome(recorded=9, settled=2, disputed=1)
    assert message(outcome) == "2 labels became certain. 1 picture turned out to be hard."
    with translation.override("de"):
        assert message(outcome) == (
            "2 Labels sind jetzt sicher. 1 Bild hat sich als schwierig erwiesen."
        )
    with translation.override("ar"):
        assert message(outcome) == "تأكد وسمان. تبيّن أن صورة واحدة صعبة."
        assert message(Outcome(recorded=9)) == "سُجّلت 9 إجابات."


def test_own_answers_name_what_was_asked_in_the_visitors_language(
    client: Client, circle: Concept
) -> None:
    challenge = ask(client, "ar", "grid")
    answer = {"selected": []}
    client.post(f"{ADDRESS}{challenge['token']}/answer/", answer, content_type=JSON)
    page = client.get("/your-answers/", headers={"Accept-Language": "ar"}).content.decode()
    assert '<span class="own-subject" lang="ar" dir="rtl">دائرة</span>' in page


def test_a_question_that_asks_for_a_sentence_says_in_which_language(
    client: Client, shapes: Project
) -> None:
    Project.objects.update(language="de")
    shown = ask(client, "fr", "write")
    assert (shown["subject"], shown["lang"], shown["asked_in"]) == ("", "de", "fr")

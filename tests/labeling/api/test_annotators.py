"""What the API shows of annotators."""

import pytest
from django.utils import timezone

from labeling import annotators, answers
from labeling.models import Annotator, Question
from tests.cast import distrust

pytestmark = pytest.mark.django_db
API = "/api/v1/annotators/"


@pytest.fixture
def gold(shapes) -> list[Question]:
    return list(Question.objects.filter(kind="concept", state="gold", verdict=True))


def answer(annotator: Annotator, question: Question, value: bool) -> None:
    answers.record(
        annotator=annotator, values={question.pk: value}, reasons={question.pk: "gold"}, seconds=3
    )


def test_each_is_shown_with_interval_mistakes_and_pace(ada_client, gold, mallory):
    answer(mallory, gold[0], True)
    answer(mallory, gold[1], False)
    (row,) = ada_client.get(API).json()["results"]
    mallory.refresh_from_db()
    _, low, high = annotators.reliability(mallory)
    assert row["reliability_interval"] == {"low": low, "high": high}
    assert (row["gold_count"], row["gold_right"], row["suspect_since"]) == (2, 1, None)
    record = row["record"]
    assert (record["answers"], record["timed"], record["seconds"]) == (2, 2, 3.0)
    assert record["gold"] == {
        "true_positives": 1,
        "false_negatives": 1,
        "true_negatives": 0,
        "false_positives": 0,
        "sensitivity": 0.5,
        "specificity": None,
    }
    assert record["confusion"]["true_positives"] == 1
    assert ada_client.get(f"{API}{mallory.pk}/").json() == row


def test_every_suspect_spell_is_told(ada_client, mallory):
    distrust(mallory, start=3)
    mallory.end_suspect_spell(stop=7, now=timezone.now())
    distrust(mallory, start=9)
    (row,) = ada_client.get(API).json()["results"]
    spells = [(spell["start"], spell["stop"]) for spell in row["suspect_spells"]]
    assert spells == [(3, 7), (9, None)]
    assert row["suspect_spells"][0]["ended_at"] and row["suspect_spells"][1]["ended_at"] is None


def test_an_annotator_without_answers_has_an_empty_record(ada_client, mallory):
    record = ada_client.get(f"{API}{mallory.pk}/").json()["record"]
    assert (record["answers"], record["seconds"]) == (0, None)


def test_a_page_looks_records_up_at_once(
    ada_client, alice, bob, mallory, django_assert_max_num_queries
):
    with django_assert_max_num_queries(6):
        assert len(ada_client.get(API).json()["results"]) == 3


def test_whom_to_look_at_can_be_listed(ada_client, alice, bob, mallory):
    assert ada_client.get(f"{API}?suspect=true").json()["results"] == []
    distrust(bob)
    (row,) = ada_client.get(f"{API}?suspect=true").json()["results"]
    assert row["name"] == "bob" and row["suspect_since"] is not None
    others = ada_client.get(f"{API}?suspect=false").json()["results"]
    assert {row["name"] for row in others} == {"alice", "mallory"}


def test_a_filter_that_makes_no_sense_is_refused(ada_client, alice):
    assert ada_client.get(f"{API}?suspect=perhaps").status_code == 400


def test_an_unknown_annotator_is_unknown(ada_client):
    for pk in ("0", "9" * 40):
        response = ada_client.get(f"{API}{pk}/")
        assert response.status_code == 404 and response.json()["code"] == "not_found"


def test_they_are_for_staff(client, alice, carol):
    client.force_login(carol)
    assert client.get(f"{API}{alice.pk}/").status_code == 403

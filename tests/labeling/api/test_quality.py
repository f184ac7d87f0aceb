"""Agreement and calibration, and the history of both, in the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from labeling import answers, quality
from labeling.models import QualityReport, Question

pytestmark = pytest.mark.django_db
API = "/api/v1/projects/shapes/quality-reports/"


@pytest.fixture
def measured(shapes, alice, bob) -> QualityReport:
    asked = Question.objects.filter(kind="concept")[:10]
    for annotator in (alice, bob):
        values = {question.pk: True for question in asked}
        answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, "random"))
    gold = Question.objects.filter(state="gold", answers_count__gt=0)
    row = quality.measure(project=shapes, leave_one_out={question.pk: 0.9 for question in gold})
    assert row is not None
    return row


def test_the_newest_comes_first_with_project_concepts_and_calibration(ada_client, shapes, measured):
    QualityReport.objects.create(
        project=shapes, measured_at=timezone.now() - timedelta(days=1), answers=0, compared=0
    )
    QualityReport.objects.filter(pk=measured.pk).update(id=measured.pk + 10)
    newest, oldest = ada_client.get(API).json()["results"]
    assert (newest["answers"], newest["compared"]) == (20, 10)
    assert [row["name"] for row in newest["concepts"]] == ["circle", "square"]
    for calibration in (newest["gold"], newest["random"]):
        assert (
            sum(each["reliability"]["n"] for each in calibration["bins"])
            == calibration["whole"]["n"]
        )
        assert set(calibration) == {"whole", "bins", "ece", "chance", "brier"}
    assert (oldest["gold"], oldest["random"], oldest["concepts"]) == (None, None, [])
    whole = newest["accuracy"]["whole"]
    assert whole["labels"] > 0 and whole["low"] is None, "too little gold"
    assert [row["name"] for row in newest["accuracy"]["concepts"]] == ["circle", "square"]
    assert oldest["accuracy"] is None


def test_agreement_tells_on_how_many_questions_it_rests(ada_client, measured):
    rows = ada_client.get("/api/v1/projects/shapes/agreement/").json()["results"]
    assert sum(row["compared"] for row in rows) == 10
    assert sum(row["answers"] for row in rows) == 20


def test_they_are_for_staff(client, shapes, carol):
    assert client.get(API).status_code in {401, 403}
    client.force_login(carol)
    assert client.get(API).status_code == 404


def test_an_unknown_project_is_unknown(ada_client, shapes):
    response = ada_client.get("/api/v1/projects/nowhere/quality-reports/")
    assert response.status_code == 404 and response.json()["code"] == "not_found"

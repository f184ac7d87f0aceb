"""The page that says how far people agree, how often labels are right, and whom to look at."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from labeling import answers, quality
from labeling.aggregation.calibration import by_truth
from labeling.models import Annotator, Membership, Project, QualityReport, Question
from tests.cast import distrust, truth


def address(project: Project) -> str:
    return f"/projects/{project.slug}/agreement/"


@pytest.fixture
def measured(shapes: Project, alice: Annotator, bob: Annotator) -> QualityReport:
    """Both answered half the questions, as drawn at random; Bob errs now and then."""
    asked = Question.objects.filter(kind="concept").values_list("pk", flat=True)[:24]
    for annotator, wrong in ((alice, 100), (bob, 5)):
        values = {pk: truth(pk) ^ (pk % wrong == 0) for pk in asked}
        answers.record(annotator=annotator, values=values, reasons=dict.fromkeys(values, "random"))
    gold = Question.objects.filter(state="gold", answers_count__gt=0)
    leave_one_out = {question.pk: 0.9 if question.verdict else 0.2 for question in gold}
    row = quality.measure(project=shapes, leave_one_out=leave_one_out)
    assert row is not None
    return row


def test_it_tells_how_far_people_agree_in_the_project_and_on_each_concept(
    ada_client: Client, shapes: Project, measured: QualityReport
) -> None:
    page = ada_client.get(address(shapes))
    agreement = page.context["agreement"]
    assert agreement["whole"]["stats"]["answers"] == 48
    rows = [*agreement["rows"], *agreement["few"]]
    assert sum(row["stats"]["answers"] for row in rows) == 48
    text = page.content.decode()
    assert "All concepts" in text and agreement["whole"]["range"] in text


def test_the_table_is_sorted_by_its_headers_and_keeps_small_numbers_apart(
    ada_client: Client, shapes: Project, measured: QualityReport
) -> None:
    def names(query: str, rows: str = "rows") -> list[str]:
        agreement = ada_client.get(f"{address(shapes)}?{query}").context["agreement"]
        return [row["stats"]["concept"]["name"] for row in agreement[rows]]

    assert names("sort=name&least=0") == ["circle", "square"]
    assert names("sort=name&order=down&least=0") == ["square", "circle"]
    assert names("least=1000") == [] and len(names("least=1000", "few")) == 2
    for nonsense in ("sort=%00", "sort=price&order=sideways&least=-1", "least=" + "9" * 40):
        assert ada_client.get(f"{address(shapes)}?{nonsense}").status_code == 200
    page = ada_client.get(f"{address(shapes)}?sort=n&least=3").content.decode()
    assert 'aria-sort="ascending"' in page
    assert "?sort=n&amp;order=down&amp;least=3#agreement-title" in page


def test_it_advises_and_leads_to_where_that_is_done(ada_client: Client, shapes: Project) -> None:
    page = ada_client.get(address(shapes)).content.decode()
    circle = shapes.concepts.get(name="circle")
    assert "Nobody has answered about “circle” yet." in page
    assert f'"/projects/shapes/concepts/{circle.pk}/"' in page


def test_it_says_how_often_labels_are_right_with_an_interval(
    ada_client: Client, shapes: Project, measured: QualityReport
) -> None:
    text = ada_client.get(address(shapes)).content.decode()
    assert "are too few to tell. From 20 on there is an interval." in text
    overview = f"/projects/{shapes.slug}/"
    assert "95 % interval" not in ada_client.get(overview).content.decode()
    row = {"concept": 1, "name": "<circle>", "labels": 4812, "covered": 4812, "judged": 214}
    row |= {"by": "gold", "accuracy": 0.961, "low": 0.95, "high": 0.97}
    unknown = row | {"name": "square", "accuracy": None, "low": None, "high": None}
    accuracy = {"whole": row, "concepts": [row, unknown]}
    QualityReport.objects.filter(pk=measured.pk).update(accuracy=accuracy)
    sentence = (
        "Labels are right in 96.1 % (95 % interval 95.0 to 97.0): of 4,812 labels that people "
        "answered about, judged by 214 gold questions."
    )
    page = ada_client.get(address(shapes))
    assert sentence in page.content.decode()
    assert [each["name"] for each in page.context["accuracy"]["concepts"]] == ["<circle>"]
    assert "Of 1 more concept too few labels were judged to tell." in page.text
    assert "<bdi>&lt;circle&gt;</bdi>" in page.content.decode()
    assert sentence in ada_client.get(overview).content.decode()


def test_it_draws_how_often_labels_are_right_by_gold_and_by_the_random_slice(
    ada_client: Client, shapes: Project, measured: QualityReport
) -> None:
    page = ada_client.get(address(shapes))
    gold, drawn = page.context["diagrams"]
    assert (gold["name"], drawn["name"]) == ("gold", "random")
    assert gold["whole"]["n"] == measured.gold["whole"]["n"] and gold["whole"]["accuracy"] == 100
    assert drawn["whole"]["n"] == measured.random["whole"]["n"]
    text = page.content.decode()
    assert text.count('class="tessera-plot reliability"') == 2
    assert "style=" not in text[text.index("<svg") : text.rindex("</svg>")]  # the CSP has none


def test_it_says_what_is_not_measured_yet(ada_client: Client, shapes: Project) -> None:
    page = ada_client.get(address(shapes)).content
    assert b"No gold question has answers yet." in page
    assert b"No question that was drawn at random has answers yet." in page
    assert b"once all was recomputed twice" in page
    assert b"Nobody: no interval of reliability" in page


def test_it_draws_the_history_once_there_is_one(
    ada_client: Client, shapes: Project, measured: QualityReport
) -> None:
    assert ada_client.get(address(shapes)).context["alpha_history"] == ""
    calibration = quality._as_json(by_truth([0.8, 0.7], [True, False]))
    QualityReport.objects.create(
        project=shapes,
        measured_at=timezone.now() - timedelta(days=2),
        answers=10,
        compared=5,
        gold=calibration,
    )
    page = ada_client.get(address(shapes))
    assert page.content.count(b'class="tessera-plot history"') == 2


def test_whom_to_look_at_can_be_blocked_from_here(
    ada_client: Client, shapes: Project, measured: QualityReport, bob: Annotator
) -> None:
    distrust(bob)
    page = ada_client.get(address(shapes))
    assert [row["annotator"] for row in page.context["suspects"]] == [bob]
    block = f"/projects/shapes/people/annotators/{bob.pk}/block/"
    assert block.encode() in page.content
    assert ada_client.post(block, {"next": address(shapes)})["Location"] == address(shapes)
    assert ada_client.get(address(shapes)).context["suspects"] == []


def test_the_review_leads_there(ada_client: Client, shapes: Project) -> None:
    page = ada_client.get("/projects/shapes/labels/")
    assert address(shapes).encode() in page.content


def test_viewers_see_it_without_names_of_annotators(
    client: Client, shapes: Project, carol: User
) -> None:
    assert client.get(address(shapes)).status_code == 302
    client.force_login(carol)
    assert client.get(address(shapes)).status_code == 404
    member = Membership.objects.create(project=shapes, user=carol, role="viewer")
    assert b"Annotators to look at" not in client.get(address(shapes)).content
    Membership.objects.filter(pk=member.pk).update(role="reviewer")
    page = client.get(address(shapes))
    assert b"Annotators to look at" in page.content and b"/admin/" not in page.content


def test_it_knows_no_other_project(ada_client: Client, db: None) -> None:
    assert ada_client.get("/projects/nowhere/agreement/").status_code == 404


def test_it_asks_few_queries(
    ada_client: Client,
    shapes: Project,
    measured: QualityReport,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    ada_client.get("/account/")  # whose header counts what waits, for the next pages too
    with django_assert_max_num_queries(15):
        ada_client.get(address(shapes))

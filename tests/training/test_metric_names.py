"""Pages, the API, reports and verdicts call a metric by the same words, in sensible digits."""

import html
import json

import pytest

from training.engine import metric_names
from training.engine.metric_names import JUDGES, METRICS
from training.engine.report import metrics_table
from training.project_pages import metric_rows

VALUES = {"nearest_train": 1.5, "nearest_train_apart": 0.7, "unseen_colour@pixels": 0.25}
VALUES |= {"attributes@clip": 0.5, "attributes@clip_real_training": 0.8}


def test_the_page_of_a_model_and_its_report_say_the_same_of_a_metric() -> None:
    report = html.unescape(metrics_table.table(VALUES))
    rows = metric_rows.rows(VALUES, {})
    assert [row["real"] for row in rows] == [
        "0.7 (between training pictures)",
        "–",
        "80% (training pictures)",
    ]
    for row in rows:
        assert row["name"] in report
        assert row["value"] in report
        assert row["real"] in report or row["real"] == "–"


def test_a_metric_and_its_judge_are_words() -> None:
    assert metric_names.words("recall@10").startswith("how often a caption finds its picture")
    assert metric_names.words("r_precision@lsa-clip") == (
        "how well pictures fit their words (R-precision), by the project's own judge"
    )
    assert metric_names.words("something_new@ViT-B-32") == "something new, by the CLIP ViT-B-32"


def test_no_metric_or_judge_shows_an_internal_name() -> None:
    for name in METRICS:
        for judge in ("",) if "@" in name else ("", *(f"@{judge}" for judge in JUDGES)):
            shown = metric_names.words(name + judge)
            assert "_" not in shown and "@" not in shown and "lsa" not in shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("recall@10", -2.33e-17, "0%"),
        ("recall@10", 0.8749, "87%"),
        ("recall@10", 0.0549, "5.5%"),
        ("concept_log_loss", 0.51234, "0.51 nats"),
        ("concept_log_loss", -2.33e-17, "0 nats"),
        ("kid@judge", 0.01249, "0.012"),
        ("kid@judge", 123.4, "123"),
        ("kid@judge", float("nan"), "–"),
        ("kid@judge", None, "–"),
    ],
)
def test_a_figure_has_no_more_digits_than_it_needs(
    name: str, value: float | None, shown: str
) -> None:
    assert metric_names.figure(name, value) == shown


@pytest.mark.parametrize(
    ("name", "numbers", "shown"),
    [
        ("recall@10", (0.03, 0.01, 0.05), "3 points better (±2)"),
        ("recall@10", (0.01, -0.01, 0.03), "1 point better (±2)"),
        ("recall@10", (-2.33e-17, -0.05, 0.05), "no better (±5)"),
        ("recall@10", (-0.04, -0.06, -0.02), "4 points worse (±2)"),
        (
            "recall@10",
            (0.03, -0.09, 0.05),
            "3 points better (from 9 points worse to 5 points better)",
        ),
        ("kid@judge", (0.0123, 0.0073, 0.0173), "0.012 better (±0.005)"),
        ("recall@10", (0.0, 0.0, 0.0), "no better"),
    ],
)
def test_a_difference_is_said_with_its_interval(
    name: str, numbers: tuple[float, float, float], shown: str
) -> None:
    assert metric_names.difference(name, *numbers) == shown


def test_a_metric_of_a_file_that_holds_nonsense_is_left_out() -> None:
    values = json.loads('{"kid@judge": NaN, "r_precision@judge": "high", "cosine": 0.25}')
    rows = {row["name"]: row["value"] for row in metric_rows.rows(values, {})}
    assert list(rows.values()) == ["–", "0.25"]

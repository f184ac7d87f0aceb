"""The run's page, the report and verdicts call a metric by the same words."""

import html

from training.admin import metrics
from training.engine.metric_names import WORDS, words
from training.engine.report import metrics_table

VALUES = {"nearest_train": 1.5, "nearest_train_apart": 0.7, "unseen_colour@pixels": 0.25}
VALUES |= {"attributes@clip": 0.5, "attributes@clip_real_training": 0.8}


def test_the_page_of_a_run_and_its_report_say_the_same_of_a_metric() -> None:
    report = html.unescape(metrics_table.table(VALUES))
    rows = metrics.rows(VALUES, {})
    assert [row["real"] for row in rows] == [
        "0.7 (between training pictures)",
        "–",
        "0.8 (training pictures)",
    ]
    for row in rows:
        assert row["name"] in report
        assert row["real"] in report or row["real"] == "–"


def test_a_metric_and_its_judge_are_words() -> None:
    assert words("recall@10") == WORDS["recall@10"]
    assert words("unseen_colour@pixels") == (
        "colour of unseen pairs of colour and thing, recognised by pixels"
    )
    assert words("something_new@judge") == "something new by judge"

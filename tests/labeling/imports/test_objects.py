"""Boxes in a column `objects`, as Hugging Face's data sets for object detection have them."""

import io
import json

import pytest

from labeling.models import BoxStatement
from tests.labeling.imports.sources import fill, take
from tests.pictures import jpeg

pytestmark = pytest.mark.django_db


def boxes() -> set[tuple]:
    rows = BoxStatement.objects.values_list("tile__image__source", "tile__left", "label")
    return {(source.rpartition("/")[2], left, label) for source, left, label in rows}


def test_a_table_may_have_them_side_by_side_or_one_by_one(box):
    rows = [
        {"file_name": "0.jpg", "objects": {"bbox": [[1, 2, 9, 9], [3, 2, 9, 9]], "category": "ab"}},
        {"file_name": "1.jpg", "objects": [{"bbox": [5, 2, 9, 9], "category": "owl"}]},
        {"file_name": "2.jpg", "objects": {"bbox": [[7, 2, 9, 9], [8, 2, 9]], "label": ["a", "b"]}},
        {"file_name": "3.jpg", "objects": {"bbox": [[1, 2, 9, 9]], "category": []}},
        {"file_name": "4.jpg", "objects": {"bbox": [], "category": []}},
    ]
    rows[0]["objects"]["category"] = ["owl", "wren"]
    lines = "\n".join(map(json.dumps, rows))
    fill(box, **{f"{n}.jpg": jpeg(n) for n in range(5)}, **{"metadata.jsonl": lines})
    report = take(box)
    assert boxes() == {("0.jpg", 1, "owl"), ("0.jpg", 3, "wren"), ("1.jpg", 5, "owl")} | {
        ("2.jpg", 7, "a")
    }
    assert "its box is not of four numbers" in report and "names no category" in report


def test_numbered_categories_have_the_names_that_datasets_gave_them(box):
    import datasets

    features = datasets.Features(
        {
            "image": datasets.Image(),
            "objects": {
                "bbox": datasets.List(datasets.List(datasets.Value("float32"))),
                "category": datasets.List(datasets.ClassLabel(names=["owl", "wren"])),
            },
        }
    )
    row = {
        "image": {"bytes": jpeg(0), "path": "0.jpg"},
        "objects": {"bbox": [[1, 2, 9, 9], [3, 2, 9, 9]], "category": [1, 0]},
    }
    out = io.BytesIO()
    datasets.Dataset.from_list([row], features=features).to_parquet(out)
    fill(box, **{"train.parquet": out.getvalue()})
    take(box)
    assert {(left, label) for _, left, label in boxes()} == {(1, "wren"), (3, "owl")}

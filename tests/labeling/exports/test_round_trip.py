"""Out and in again: each layout that is also read keeps every text, keyword, box and pair."""

from collections import defaultdict
from pathlib import Path

import pytest
from django.core.management import call_command

from labeling import exports
from labeling.exports import Options
from labeling.models import BoxStatement, Image, Pair, Project, Question
from tests.labeling.exports import frozen
from tests.labeling.exports.frozen import pixels, rows_of, stored_pixels

pytestmark = pytest.mark.django_db
COUNT = 200
SIZE = 34, 16  # which has room for two halves
LAYOUTS = [  # with what they hold beside captions
    ("imagefolder", {}, {"tags", "boxes", "pairs"}),
    ("parquet", {"shard": 70}, {"tags", "boxes", "pairs"}),
    ("webdataset", {"shard": 70}, {"tags", "boxes", "pairs"}),
    ("coco", {}, {"boxes"}),
    ("croissant", {}, {"tags", "boxes", "pairs"}),
    ("folder", {"sidecar": "json", "copy_pictures": True}, {"tags", "boxes", "pairs"}),
    ("folder", {"copy_pictures": True}, set()),
]
# By a picture's pixels.
Known = dict[bytes, tuple[list[str], list[str], list[tuple], bool]]


@pytest.fixture
def snapshot(garden, tmp_path, monkeypatch) -> Path:
    texts = [(text.replace("\u2028", " "), tags) for text, tags in frozen.TEXTS]
    monkeypatch.setattr(frozen, "TEXTS", texts)
    make = frozen.row

    def row(number, split, size):
        told, data = make(number, split, size)
        return told | {"generated": False, "prompt": ""}, data

    monkeypatch.setattr(frozen, "row", row)
    return frozen.write(tmp_path / "snapshot", COUNT, SIZE)


def known(project: Project) -> Known:
    """Return the captions, the keywords and the boxes of each picture, and whether it is a pair."""
    captions, boxes = defaultdict(list), defaultdict(list)
    asked = Question.objects.filter(project=project, kind="caption")
    for image, text in asked.values_list("tile__image_id", "text"):
        captions[image].append(text)
    for row in BoxStatement.objects.filter(tile__image__project=project).select_related("tile"):
        tile = row.tile
        boxes[tile.image_id].append((tile.left, tile.top, tile.width, tile.height, row.label))
    pairs = set(Pair.objects.filter(image__project=project).values_list("image", flat=True))
    told = {}
    for image in Image.objects.filter(project=project):
        with image.file.open("rb") as file:
            texts = sorted(captions[image.pk]), sorted(image.keywords), sorted(boxes[image.pk])
            told[pixels(file.read())] = (*texts, image.pk in pairs)
    return told


def expected(row: dict, holds: set[str]) -> tuple:
    """Return the same of a row: the label of a box is a keyword of its picture."""
    boxes = [each for each in row["boxes"] if "boxes" in holds and each["probability"] >= 0.5]
    keywords = {each["label"] for each in boxes} | set(row["tags"] if "tags" in holds else ())
    return (
        sorted(each["text"] for each in row["captions"]),
        sorted(keywords),
        sorted((b["left"], b["top"], b["width"], b["height"], b["label"]) for b in boxes),
        "pairs" in holds and row["pair"] > 0,
    )


@pytest.mark.parametrize(("format", "options", "holds"), LAYOUTS)
def test_every_text_keyword_box_and_pair_comes_back(snapshot, tmp_path, format, options, holds):
    out = tmp_path / "out"
    chosen = Options(captions="all", **options)
    exports.export(folder=snapshot, format=format, out=out, options=chosen)
    call_command("import_images", out, project="again", no_input=True)
    rows = rows_of(snapshot).values()
    assert known(Project.objects.get(slug="again")) == {
        stored_pixels(snapshot, row): expected(row, holds) for row in rows
    }

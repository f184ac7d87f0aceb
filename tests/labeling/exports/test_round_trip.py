"""Out and in again: each layout that is also read keeps every text and keyword."""

from collections import defaultdict
from pathlib import Path

import pytest
from django.core.management import call_command

from labeling import exports
from labeling.exports import Options
from labeling.models import Image, Project, Question
from tests.labeling.exports import frozen
from tests.labeling.exports.frozen import pixels, rows_of, stored_pixels

pytestmark = pytest.mark.django_db
COUNT = 200
LAYOUTS = [
    ("imagefolder", {}, True),
    ("parquet", {"shard": 70}, True),
    ("webdataset", {"shard": 70}, True),
    ("coco", {}, False),
    ("folder", {"sidecar": "json", "copy_pictures": True}, True),
    ("folder", {"copy_pictures": True}, False),
]
Known = dict[bytes, tuple[list[str], list[str]]]  # captions and keywords by a picture's pixels


@pytest.fixture
def snapshot(garden, tmp_path, monkeypatch) -> Path:
    texts = [(text.replace("\u2028", " "), tags) for text, tags in frozen.TEXTS]
    monkeypatch.setattr(frozen, "TEXTS", texts)
    make = frozen.row

    def row(number, split, size):
        told, data = make(number, split, size)
        return told | {"generated": False, "prompt": ""}, data

    monkeypatch.setattr(frozen, "row", row)
    return frozen.write(tmp_path / "snapshot", COUNT, (16, 16))


def known(project: Project) -> Known:
    captions = defaultdict(list)
    asked = Question.objects.filter(project=project, kind="caption")
    for image, text in asked.values_list("tile__image_id", "text"):
        captions[image].append(text)
    told = {}
    for image in Image.objects.filter(project=project):
        with image.file.open("rb") as file:
            told[pixels(file.read())] = (sorted(captions[image.pk]), sorted(image.keywords))
    return told


@pytest.mark.parametrize(("format", "options", "keywords"), LAYOUTS)
def test_every_text_and_keyword_comes_back(snapshot, tmp_path, format, options, keywords):
    out = tmp_path / "out"
    chosen = Options(captions="all", **options)
    exports.export(folder=snapshot, format=format, out=out, options=chosen)
    for source in sorted(out.glob("*/*.tar")) or [out]:
        call_command("import_images", source, project="again", no_input=True)
    expected = {
        stored_pixels(snapshot, row): (
            sorted(each["text"] for each in row["captions"]),
            sorted(row["tags"]) if keywords else [],
        )
        for row in rows_of(snapshot).values()
    }
    assert known(Project.objects.get(slug="again")) == expected

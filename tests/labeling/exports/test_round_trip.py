"""Out and in again: each layout that is also read keeps every text and label."""

import random

import pytest
from django.core.management import call_command

from labeling import exports, snapshots
from labeling.exports import Options
from labeling.images import tiles
from labeling.models import Image, Project, Question
from labeling.questions import ask_captions
from tests.labeling.garden import add

pytestmark = pytest.mark.django_db
COUNT = 200
WORDS = [
    "red",
    "blue, dark",
    "犬",
    "سيارة",
    "a cat’s",
    "“quoted”",
    "two\u00a0parts",
    "naïve",
    "x;y",
]


@pytest.fixture
def project(garden):
    """A project of 200 pictures with captions of all kinds, keywords and licences."""
    draw = random.Random(0)
    for number in range(COUNT):
        image = add(
            garden,
            number,
            source=f"trip {number % 7}/IMG_{number:04}.png",
            keywords=sorted(draw.sample(["stripe", "night sky", "sun", "tree"], number % 3)),
        )
        if number % 4:
            text = f"{' and '.join(draw.sample(WORDS, 3))}, in picture no. {number}"
            ask_captions(captions=[(tiles.whole(image), text)], source="import", prior=0.9)
    return garden


def known(project: Project) -> dict[bytes, tuple[list[str], list[str]]]:
    """Return the captions and keywords of each picture, by its pixels."""
    from tests.pictures import decoded

    told = {}
    for image in Image.objects.filter(project=project):
        captions = Question.objects.filter(tile__image=image, kind="caption")
        pixels = decoded(image.file.read()).convert("RGB").tobytes()
        told[pixels] = (
            sorted(captions.values_list("text", flat=True)),
            sorted(image.keywords),
        )
    return told


@pytest.mark.parametrize(
    ("format", "options", "keywords"),
    [
        ("imagefolder", {}, True),
        ("parquet", {"shard": 70}, True),
        ("webdataset", {"shard": 70}, True),
        ("coco", {}, False),
        ("croissant", {}, True),
        ("folder", {"sidecar": "json", "copy_pictures": True}, True),
        ("folder", {"copy_pictures": True}, False),
    ],
)
def test_every_text_and_label_comes_back(project, tmp_path, format, options, keywords):
    frozen = snapshots.freeze(project=project)
    out = tmp_path / "out"
    exports.export_snapshot(snapshot=frozen, format=format, out=out, options=Options(**options))
    call_command("import_images", out, project="again", no_input=True)
    again = Project.objects.get(slug="again")
    expected = known(project)
    if not keywords:
        expected = {pixels: (captions, []) for pixels, (captions, _) in expected.items()}
    assert known(again) == expected

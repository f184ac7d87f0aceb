"""The card of a data set says what is in it, so that the hub and people understand it."""

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml

from labeling import dataset_card, snapshot_rows, snapshots
from labeling.models import Concept
from labeling.snapshots import local_folder
from tests.labeling.garden import add, caption

pytestmark = pytest.mark.django_db


def card(project) -> tuple[dict, str]:
    """Freeze a project; return the front matter of its card, and the rest."""
    text = (local_folder(snapshots.freeze(project=project)) / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), " ".join(body.split())


def test_its_features_are_those_of_the_rows(garden):
    image = add(garden, 1)
    (row,) = snapshot_rows.build(project=garden, concepts=[], include_generated=False)
    assert image.sha256.startswith(row.row["file_name"].split(".")[0])
    assert list(row.row) == ["file_name", *dataset_card.FEATURES]


def test_its_front_matter_says_licence_size_language_tasks_and_splits(garden):
    garden.language = "pt-BR"
    garden.save()
    caption(add(garden, 1, license="CC BY 4.0"), "a stripe", 0.9)
    add(garden, 2, license="cc-by-4.0")
    front, body = card(garden)
    assert front["license"] == "cc-by-4.0"
    assert front["size_categories"] == ["n<1K"]
    assert front["language"] == ["pt"]
    assert front["task_categories"] == ["text-to-image", "image-to-text"]
    assert {each["split"] for each in front["configs"][0]["data_files"]} <= {"train", "test"}
    assert "1 have a caption (1 captions in all)" in body
    assert "| came with imports | 1 |" in body


def test_licences_that_differ_are_listed_by_how_many_pictures_have_them(garden):
    for number, license in enumerate(("MIT", "MIT", "ask <me> | first", "")):
        add(garden, number, license=license)
    front, body = card(garden)
    assert (front["license"], front["license_name"]) == ("other", "as-stated-by-picture")
    assert "| MIT | 2 |" in body and "| not stated | 1 |" in body
    assert r"| ask \<me\> \| first | 1 |" in body, "it is no HTML, and no column of its own"
    assert "Of 1 pictures the licence was not stated." in body


def test_a_name_cannot_break_the_front_matter(garden):
    garden.name = 'Birds: "of" the\u2028city\n---\nlicense: mit 🐦'
    garden.save()
    add(garden, 1)
    front, _ = card(garden)
    assert front["pretty_name"] == 'Birds: "of" the city --- license: mit 🐦'
    assert front["license"] == "unknown"


@pytest.mark.parametrize(
    "text",
    ["~~~", "- - -", "+ a", "=", "&lt;b&gt; &copy;", "$x$", "<b>", "![a](b)", "a | b", "#1 _b_"],
)
def test_a_text_says_just_what_it_says(text):
    """A description that begins a block of code would hide whatever follows."""
    shown = MarkdownIt().render(dataset_card.plain(text))
    assert shown == f"<p>{escapeHtml(text)}</p>\n"


def test_it_says_how_many_labels_rest_on_people_and_how_far_they_agree(garden):
    add(garden, 1)
    Concept.objects.create(project=garden, name="cat", phrase="a cat", prevalence=0.1)
    _, body = card(garden)
    assert "Of 1 pairs of a picture and a concept, people answered about 0." in body
    assert "| cat | 0 | 0 | 1 | 0 |" in body
    assert "agreement is not known" in body


def test_datasets_loads_snapshots_of_other_concepts_as_one(garden, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    for number in range(3):
        add(garden, number)
    bare = snapshots.freeze(project=garden)
    Concept.objects.create(project=garden, name="cat", phrase="a cat", prevalence=0.1)
    caption(garden.images.first(), "a stripe", 0.9)
    full = snapshots.freeze(project=garden)
    loaded = [
        datasets.load_dataset(
            str(local_folder(each)), cache_dir=str(tmp_path / "cache"), split="train"
        )
        for each in (bare, full)
    ]
    assert loaded[0].features == loaded[1].features
    together = datasets.concatenate_datasets(loaded)
    assert [each["name"] for each in together[-1]["concepts"]] == ["cat"]

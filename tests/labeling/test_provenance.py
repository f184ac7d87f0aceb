"""Where pictures and texts come from is kept, shown, filtered and exported; and goes with them."""

import json
from decimal import Decimal

import pytest
from django.core.management import CommandError

from labeling import provenance, removal, snapshots
from labeling.imports import declarations, undo
from labeling.models import Image, Import, Project, Question, TextSource
from tests.labeling.garden import rows
from tests.labeling.imports.sources import fill, take
from tests.pictures import png

pytestmark = pytest.mark.django_db
ROWS = (
    {"file_name": "0.png", "text": "an owl at night", "url": "https://a.example/0"},
    {"file_name": "0.png", "text": "a bird in a tree", "vendor": "Words Ltd", "date": "2024-05"},
    {"file_name": "1.png", "text": "a lake", "tags": ["lake", "sun"]},
)


@pytest.fixture
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def box(tmp_path, media):
    """Two pictures with three captions, which say where they come from."""
    texts = "\n".join(map(json.dumps, ROWS))
    fill(tmp_path / "box", **{"0.png": png(0), "1.png": png(1), "metadata.jsonl": texts})
    return tmp_path / "box"


def question(text: str) -> Question:
    return Question.objects.select_related("text_source").get(text=text)


def test_each_text_keeps_what_its_row_says_and_the_import_says_the_rest(box):
    take(box, vendor="Pictures Inc", batch="May", license="CC0", price="1.20", currency="eur")
    owl, bird, lake = (provenance.of_text_source(question(row["text"]).text_source) for row in ROWS)
    assert (owl.vendor, owl.url) == ("Pictures Inc", "https://a.example/0")
    assert (bird.vendor, bird.date, bird.url) == ("Words Ltd", "2024-05", "")
    assert {each.batch for each in (owl, bird, lake)} == {"May"}
    assert {each.license for each in (owl, bird, lake)} == {"CC0"}
    assert {each.file for each in (owl, bird, lake)} == {"metadata.jsonl"}
    assert {each.price for each in (owl, bird, lake)} == {"0.24 EUR"}, "of five texts"
    assert Import.objects.get().row_vendors == ["Words Ltd"]


def test_texts_that_say_the_same_share_a_row(tmp_path, media):
    for number in range(5):
        fill(tmp_path / "box", **{f"{number}.png": png(number), f"{number}.txt": "an owl at night"})
    take(tmp_path / "box")
    source = TextSource.objects.get()
    assert (source.layout, source.file) == ("text beside the picture", "")
    assert source.captions.count() == source.images.count() == 5


def test_a_snapshot_says_where_each_text_comes_from(box, alice):
    take(box, vendor="Pictures Inc")
    Question.objects.filter(text="a lake").update(
        source="annotator", text_source=None, author=alice
    )
    frozen = rows(snapshots.freeze(project=Project.objects.get()))
    own, other = frozen["0.png"]["provenance"]
    assert (own["url"], own["vendor"]) == ("https://a.example/0", "Pictures Inc")
    assert (other["vendor"], other["date"]) == ("Words Ltd", "2024-05")
    places = {each["text"]: each["provenance"] for each in frozen["0.png"]["captions"]}
    assert places == {"an owl at night": 0, "a bird in a tree": 1}
    assert [each["provenance"] for each in frozen["1.png"]["captions"]] == [-1]
    assert [each["import"] for each in frozen["1.png"]["provenance"]] == ["box"]


def test_a_snapshot_lists_the_sources_of_keywords_that_several_imports_state(tmp_path, media):
    for number, (name, text) in enumerate((("a", "owl, sky, day"), ("b", "lake, sun, sea"))):
        box = tmp_path / f"box{number}"
        fill(box, **{f"{name}.png": png(0), f"{name}.txt": text})
        take(box, vendor=f"Vendor {name}")
    (row,) = rows(snapshots.freeze(project=Project.objects.get())).values()
    assert [each["vendor"] for each in row["provenance"]] == ["Vendor a", "Vendor b"]


def test_undoing_an_import_forgets_where_its_texts_came_from(box, tmp_path):
    take(box)
    first = Import.objects.get()
    fill(tmp_path / "again", **{"0.png": png(0), "0.txt": "an owl at night"})
    take(tmp_path / "again")
    undo.undo(first, None)
    assert set(TextSource.objects.values_list("imported_by__name", flat=True)) == {"again"}
    assert question("an owl at night").text_source.imported_by.name == "again"
    assert Image.objects.get().text_source.imported_by.name == "again"


def test_removing_a_picture_forgets_where_it_came_from_and_nothing_else(box, ada):
    take(box)
    removal.remove(Image.objects.filter(source="0.png"), by=ada, reason="asked to")
    assert [str(source) for source in TextSource.objects.all()] == ["metadata.jsonl"]
    assert not TextSource.objects.exclude(url="", vendor="").exists()


def test_pictures_and_questions_are_found_by_their_vendor_and_batch(box, tmp_path):
    take(box, vendor="Pictures Inc", batch="May")
    fill(tmp_path / "other", **{"2.png": png(2), "2.txt": "a horse in a field"})
    take(tmp_path / "other")
    project = Project.objects.get()

    def images(**origin: str) -> set[str]:
        found = provenance.of_images(Image.objects.order_by("pk"), project, **origin)
        return {image.source for image in found[:100]}

    def captions(**origin) -> set[str]:
        found = provenance.of_questions(Question.objects.filter(kind="caption"), **origin)
        return {question.text for question in found[:100]}

    assert images(vendor="Pictures Inc") == images(batch="May") == {"0.png", "1.png"}
    assert images(vendor="Words Ltd") == {"0.png"} and not images(vendor="Nobody")
    Image.objects.filter(source="2.png").update(license="MIT")
    assert images(license="MIT") == {"2.png"} and not images(license="GPL")
    assert captions(vendor="Pictures Inc") == {"an owl at night", "a lake"}
    assert captions(vendor="Words Ltd") == {"a bird in a tree"}
    assert captions(record=Import.objects.first().pk) == {"a horse in a field"}
    assert provenance.choices(project).vendors == ["Pictures Inc", "Words Ltd"]


def test_what_is_declared_later_holds_for_all_its_texts(box, ada):
    take(box)
    declarations.declare(Import.objects.get(), {"vendor": " Late  Ltd ", "note": "a\n\nb"}, by=ada)
    record = Import.objects.get()
    assert (record.vendor, record.note) == ("Late Ltd", "a\n\nb")
    assert provenance.of_text_source(question("a lake").text_source).vendor == "Late Ltd"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"price": "12"}, "currency"),
        ({"price": "nan", "currency": "EUR"}, "price"),
        ({"price": "-1", "currency": "EUR"}, "price"),
        ({"price": "1e400", "currency": "EUR"}, "price"),
        ({"price": "ten", "currency": "EUR"}, "price"),
        ({"currency": "euro"}, "currency"),
        ({"vendor": "x" * 201}, "vendor"),
        ({"url": "a\x07b"}, "url"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_the_field(values, field):
    with pytest.raises(declarations.DeclarationError) as error:
        declarations.clean(values)
    assert error.value.field == field


def test_a_price_is_kept_to_the_cent():
    assert declarations.clean({"price": "12.345", "currency": "eur"}) == {
        "price": Decimal("12.34"),
        "currency": "EUR",
    }


def test_the_command_refuses_a_wrong_price_before_anything_is_made(box):
    with pytest.raises(CommandError, match="currency"):
        take(box, price="12")
    assert not Project.objects.exists()


def test_only_addresses_that_a_browser_may_open_are_links():
    at = provenance.Provenance
    assert at(url="https://a.example/").link and not at(url="javascript:alert(1)").link

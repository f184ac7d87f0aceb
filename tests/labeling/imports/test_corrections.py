"""A source is imported again with its texts put right: the latest statement of a path rules."""

import csv
import io
import json

import pytest

from labeling import snapshots
from labeling.models import Image, Import, ImportStatement, Project, Question
from labeling.project_pages.import_page import reported
from tests.cast import answer
from tests.labeling.garden import rows
from tests.labeling.imports.sources import fill, publish, take
from tests.pictures import png

pytestmark = pytest.mark.django_db
WRONG, RIGHT = "a dog that is wrong", "a cat that is right"


def folder(tmp_path, name, **texts):
    """Return a folder of pictures by number, each with a text beside it."""
    for picture, text in texts.items():
        number = int(picture[-1])
        fill(tmp_path / name, **{f"{number}.png": png(number), f"{number}.txt": text})
    return tmp_path / name


def captions() -> dict[str, float | None]:
    return dict(Question.objects.filter(kind="caption").values_list("text", "stated"))


def test_one_picture_under_two_names_has_the_keywords_of_both(box):
    fill(box, **{"a.png": png(0), "a.txt": "dog, lawn, sun"})
    fill(box, **{"b.png": png(0), "b.txt": "animal, grass, day"})
    take(box)
    image = Image.objects.get()
    assert image.keywords == ["dog", "lawn", "sun", "animal", "grass", "day"]
    assert (image.source, image.further_sources) == ("a.png", ["b.png"])


def test_the_keywords_of_one_name_are_put_right_and_those_of_the_other_stay(box):
    fill(box, **{"a.png": png(0), "a.txt": "dog, lawn, sun"})
    fill(box, **{"b.png": png(0), "b.txt": "animal, grass, day"})
    take(box)
    (box / "a.png").unlink()
    (box / "a.txt").unlink()
    fill(box, **{"b.txt": "cat, grass, night"})
    take(box)
    assert Image.objects.get().keywords == ["dog", "lawn", "sun", "cat", "grass", "night"]


def test_the_corrected_texts_count(tmp_path):
    take(folder(tmp_path, "fixed1", _0="dog, lawn, sun", _1=WRONG), concepts="dog,lawn,sun")
    said = take(folder(tmp_path, "fixed2", _0="cat, sofa, night", _1=RIGHT))
    assert captions() == {RIGHT: 0.9}
    assert "1 caption and 3 keywords of earlier imports retracted" in said
    assert f"  1.png: {WRONG}" in said and "  0.png: lawn" in said
    record = Import.objects.first()
    assert record.counts["retracted"] == {"caption": 1, "keyword": 3}
    table = csv.DictReader(io.StringIO(record.report.open().read().decode("utf-8-sig")))
    named = [
        (row["path"], row["reason"], row["where"]) for row in table if row["outcome"] == "retracted"
    ]
    words = [("0.png", word, "keyword") for word in ("dog", "lawn", "sun")]
    assert sorted(named) == [*words, ("1.png", WRONG, "caption")]
    assert [each["text"] for each in reported(record).retracted] == [each[1] for each in named]
    frozen = rows(snapshots.freeze(project=Project.objects.get()))
    assert (frozen["0.png"]["tags"], frozen["0.png"]["text"]) == (["cat", "sofa", "night"], "")
    assert (frozen["1.png"]["tags"], frozen["1.png"]["text"]) == ([], RIGHT)


def test_a_license_that_is_put_right_is_named(tmp_path):
    for name, license in (("one", "CC BY"), ("two", "CC0")):
        row = {"file_name": "0.png", "text": RIGHT, "license": license}
        fill(tmp_path / name, **{"0.png": png(0), "metadata.jsonl": json.dumps(row)})
        said = take(tmp_path / name)
    assert Image.objects.get().license == "CC0"
    assert Import.objects.first().counts["retracted"] == {"license": 1}
    assert "1 license of earlier imports retracted:\n  0.png: CC BY\n" in said


def test_a_file_without_captions_leaves_the_stored_ones(tmp_path):
    take(folder(tmp_path, "one", _0=WRONG))
    take(folder(tmp_path, "two", _0=""))
    take(folder(tmp_path, "three", _0="cat, sofa, night"))
    assert captions() == {WRONG: 0.9}
    assert Import.objects.first().counts["retracted"] == {}


def test_an_answered_caption_is_kept_but_nobody_states_it(tmp_path, alice):
    take(folder(tmp_path, "one", _0=WRONG))
    publish()
    wrong = Question.objects.get(kind="caption")
    answer(alice, {wrong.pk: False})
    before = Question.objects.get(pk=wrong.pk).probability
    take(folder(tmp_path, "two", _0=RIGHT))
    assert captions() == {WRONG: None, RIGHT: 0.9}
    after = Question.objects.get(pk=wrong.pk)
    assert after.answers_count == 1 and after.probability < min(before, 0.5)
    row = rows(snapshots.freeze(project=Project.objects.get()))["0.png"]
    assert [caption["text"] for caption in row["captions"]] == [RIGHT]


def test_a_caption_that_is_stated_again_is_as_it_was(tmp_path, alice):
    take(folder(tmp_path, "one", _0=WRONG))
    publish()
    wrong = Question.objects.get(kind="caption")
    answer(alice, {wrong.pk: True})
    before = Question.objects.get(pk=wrong.pk)
    take(folder(tmp_path, "two", _0=RIGHT))
    take(folder(tmp_path, "one"))
    after = Question.objects.get(pk=wrong.pk)
    assert captions() == {WRONG: 0.9}
    assert after.probability == pytest.approx(before.probability)
    assert after.prior == pytest.approx(before.prior)


def test_a_retracted_caption_is_the_text_only_where_people_believe_it(tmp_path, alice, bob):
    take(folder(tmp_path, "one", _0=WRONG))
    publish()
    wrong = Question.objects.get(kind="caption")
    answer(alice, {wrong.pk: True})
    answer(bob, {wrong.pk: True})
    take(folder(tmp_path, "two", _0=RIGHT))
    project = Project.objects.get()
    texts = rows(snapshots.freeze(project=project))["0.png"]["captions"]
    assert {caption["text"] for caption in texts} == {WRONG, RIGHT}
    Question.objects.filter(pk=wrong.pk).update(yes_count=1)
    texts = rows(snapshots.freeze(project=project))["0.png"]["captions"]
    assert [caption["text"] for caption in texts] == [RIGHT]


def test_a_persons_own_caption_is_not_retracted(tmp_path, alice):
    take(folder(tmp_path, "one", _0=WRONG))
    Question.objects.filter(kind="caption").update(source="annotator", author=alice)
    take(folder(tmp_path, "two", _0=RIGHT))
    assert captions() == {WRONG: 0.9, RIGHT: 0.9}


def test_a_licence_that_is_put_right_counts(box):
    row = '{{"file_name": "0.png", "text": "an owl", "license": "{}"}}'
    fill(box, **{"0.png": png(0), "metadata.jsonl": row.format("MIT")})
    take(box)
    fill(box, **{"metadata.jsonl": row.format("CC0")})
    take(box)
    assert Image.objects.get().license == "CC0"


def test_the_same_source_again_changes_nothing(tmp_path):
    box = folder(tmp_path, "one", _0=WRONG, _1="dog, lawn, sun")
    take(box)
    before = captions(), list(Image.objects.values_list("keywords", flat=True).order_by("pk"))
    take(box)
    after = captions(), list(Image.objects.values_list("keywords", flat=True).order_by("pk"))
    assert after == before
    assert ImportStatement.objects.count() == 4
    assert Import.objects.first().counts["retracted"] == {}


def test_a_file_that_was_moved_to_another_class_is_of_that_one_alone(tmp_path):
    def say(name, **places):
        fill(tmp_path / name, **{place: png(number) for place, number in places.items()})
        take(tmp_path / name)
        return sorted(Image.objects.get(source="cat/0.png").stated_keys)

    assert say("first", **{"cat/0.png": 0, "dog/1.png": 1}) == ["cat"]
    assert say("copied", **{"cat/0.png": 0, "dog/0.png": 0, "dog/1.png": 1}) == ["cat", "dog"]
    assert say("moved", **{"owl/0.png": 0, "dog/1.png": 1, "cat/2.png": 2}) == ["owl"]
    stated = Question.objects.filter(tile__image__source="cat/0.png", stated__gt=0.5)
    assert [question.concept.name for question in stated] == ["owl"]
    assert say("elsewhere", **{"tree/0.png": 0, "house/3.png": 3}) == ["owl", "tree"]

"""Labels → the rows of a snapshot."""

import pytest

from labeling import questions, snapshot_rows, snapshots
from labeling.images import tiles
from labeling.models import Concept, Image, Question
from tests.labeling.garden import add, caption, rows

pytestmark = pytest.mark.django_db


def ask(image: Image, name: str, **labels) -> Concept:
    concept = Concept.objects.create(
        project=image.project, name=name, phrase=f"a {name}", prevalence=0.1
    )
    questions.ask_concepts(tiles=[tiles.whole(image)], concepts=[concept])
    Question.objects.filter(concept=concept).update(**labels)
    return concept


def test_a_row_says_what_is_known_of_an_image(garden):
    image = add(garden, 1, keywords=["red", "tree"], license="MIT")
    ask(image, "tree", probability=0.1, answers_count=1)
    ask(image, "bird", probability=0.97, answers_count=3)
    caption(image, "a bird in a tree", 0.9)
    caption(image, "a spoon", 0.2)

    row = rows(snapshots.freeze(project=garden))["1.png"]

    assert row["text"] == "a bird in a tree"
    assert [c["text"] for c in row["captions"]] == ["a bird in a tree"]
    assert row["concepts"] == {"bird": 0.97, "tree": 0.1}
    assert row["tags"] == ["red", "bird"], "the crowd refuted the imported “tree”"
    assert row["n_answers"] == 4
    assert (row["license"], row["width"], row["generated"]) == ("MIT", 32, False)


def test_an_imported_keyword_counts_until_people_speak_of_it(garden):
    image = add(garden, 1, keywords=["tree"])
    ask(image, "tree", answers_count=0)
    row = rows(snapshots.freeze(project=garden))["1.png"]
    assert (row["concepts"], row["tags"]) == ({"tree": 0.9}, ["tree"])


SPELLINGS = [("Circle", "circle"), ("STRASSE", "straße"), ("e\u0301tude", "\u00e9tude")]
SPELLINGS += [("red  bird ", "red bird"), ("ｃａｔ", "cat")]


@pytest.mark.parametrize(("keyword", "name"), SPELLINGS)
def test_a_refuted_keyword_is_no_tag_however_it_is_spelled(garden, keyword, name):
    image = add(garden, 1, keywords=[keyword])
    ask(image, name, probability=0.01, answers_count=4)
    row = rows(snapshots.freeze(project=garden))["1.png"]
    assert (row["concepts"], row["tags"]) == ({name: 0.01}, [])


@pytest.mark.parametrize(("keyword", "name"), SPELLINGS)
def test_a_confirmed_keyword_is_one_tag_by_the_concepts_name(garden, keyword, name):
    image = add(garden, 1, keywords=[keyword])
    ask(image, name, probability=0.98, answers_count=4)
    assert rows(snapshots.freeze(project=garden))["1.png"]["tags"] == [name]


def test_an_image_shows_what_its_most_probable_tile_shows(garden):
    image = add(garden, 1)
    cat = Concept.objects.create(project=garden, name="cat, asleep", phrase="a cat")
    questions.ask_concepts(tiles=tiles.cut(image, grid=4), concepts=[cat])
    Question.objects.filter(tile__position=6).update(probability=0.99)
    row = rows(snapshots.freeze(project=garden))["1.png"]
    assert row["concepts"] == {"cat, asleep": 0.99}
    assert (row["in_part"], row["tags"]) == (["cat, asleep"], []), "it is no image of a cat"


def test_generated_images_stay_out_unless_asked_for(garden):
    add(garden, 1)
    add(garden, 2, generated=True, prompt="a bird")
    assert set(rows(snapshots.freeze(project=garden))) == {"1.png"}
    both = rows(snapshots.freeze(project=garden, include_generated=True))
    assert both["2.png"]["generated"] is True
    assert (both["1.png"]["prompt"], both["2.png"]["prompt"]) == ("", "a bird")


def test_near_duplicates_never_straddle_the_splits(garden):
    original, twin = add(garden, 1), add(garden, 2)
    Image.objects.filter(pk=twin.pk).update(near_duplicate_of=original)
    twin.refresh_from_db()
    assert snapshot_rows.split_of(twin) == snapshot_rows.split_of(original)

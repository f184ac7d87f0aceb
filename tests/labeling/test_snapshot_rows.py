"""Labels → the rows of a snapshot."""

import pytest

from labeling import questions, snapshot_folder, snapshot_rows, snapshots
from labeling.images import tiles
from labeling.models import Concept, Image, Question
from labeling.snapshots import local_folder
from tests.labeling.garden import add, caption, probabilities, rows

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
    assert row["concepts"] == [
        {"name": "bird", "probability": 0.97, "answers": 3},
        {"name": "tree", "probability": 0.1, "answers": 1},
    ]
    assert row["tags"] == ["red", "bird"], "the crowd refuted the imported “tree”"
    assert row["n_answers"] == 4
    assert (row["license"], row["width"], row["generated"]) == ("MIT", 32, False)


def test_an_imported_keyword_counts_until_people_speak_of_it(garden):
    image = add(garden, 1, keywords=["tree"])
    ask(image, "tree", answers_count=0)
    row = rows(snapshots.freeze(project=garden))["1.png"]
    assert (probabilities(row), row["tags"]) == ({"tree": 0.9}, ["tree"])


SPELLINGS = [("Circle", "circle"), ("STRASSE", "straße"), ("e\u0301tude", "\u00e9tude")]
SPELLINGS += [("red  bird ", "red bird"), ("ｃａｔ", "cat")]


@pytest.mark.parametrize(("keyword", "name"), SPELLINGS)
def test_a_refuted_keyword_is_no_tag_however_it_is_spelled(garden, keyword, name):
    image = add(garden, 1, keywords=[keyword])
    ask(image, name, probability=0.01, answers_count=4)
    row = rows(snapshots.freeze(project=garden))["1.png"]
    assert (probabilities(row), row["tags"]) == ({name: 0.01}, [])


@pytest.mark.parametrize(("keyword", "name"), SPELLINGS)
def test_a_confirmed_keyword_is_one_tag_by_the_concepts_name(garden, keyword, name):
    image = add(garden, 1, keywords=[keyword])
    ask(image, name, probability=0.98, answers_count=4)
    assert rows(snapshots.freeze(project=garden))["1.png"]["tags"] == [name]


def concept_of(project, name: str, **fields) -> Concept:
    return Concept.objects.create(project=project, name=name, phrase=f"a {name}", **fields)


def cut(image: Image, concept: Concept, answered: dict[int, float]) -> None:
    """Cut the image into 4 × 4; people answered about these parts, and so it is believed."""
    questions.ask_concepts(tiles=tiles.cut(image, grid=4), concepts=[concept])
    for position, probability in answered.items():
        Question.objects.filter(tile__position=position, grid=4, concept=concept).update(
            probability=probability, answers_count=2
        )


def test_an_image_shows_what_people_saw_in_its_most_probable_part(garden):
    image = add(garden, 1)
    cut(image, concept_of(garden, "cat, asleep"), {6: 0.99, 7: 0.2})
    row = rows(snapshots.freeze(project=garden))["1.png"]
    assert probabilities(row) == {"cat, asleep": 0.99}
    assert (row["in_part"], row["tags"]) == (["cat, asleep"], []), "it is no image of a cat"


def test_parts_that_nobody_answered_about_say_nothing(garden):
    image = add(garden, 1)
    cut(image, concept_of(garden, "cat", prevalence=0.3), {0: 0.01})
    Question.objects.filter(answers_count=0).update(probability=0.97, prior=0.97)
    row = rows(snapshots.freeze(project=garden))["1.png"]
    assert (probabilities(row), row["in_part"]) == ({"cat": 0.3}, [])


def test_all_parts_together_speak_for_a_whole_that_nobody_answered_about(garden):
    image, other = add(garden, 1, keywords=["cat"]), add(garden, 2, keywords=["cat"])
    cat = concept_of(garden, "cat")
    cut(image, cat, dict.fromkeys(range(16), 0.02))
    cut(other, cat, dict.fromkeys(range(15), 0.02))
    frozen = rows(snapshots.freeze(project=garden))
    assert (probabilities(frozen["1.png"]), frozen["1.png"]["tags"]) == ({"cat": 0.02}, [])
    assert (probabilities(frozen["2.png"]), frozen["2.png"]["tags"]) == ({"cat": 0.9}, ["cat"])


def test_a_whole_that_people_know_is_not_outvoted_by_all_its_parts(garden):
    image = add(garden, 1)
    ask(image, "cat", probability=0.97, answers_count=3)
    cut(image, Concept.objects.get(), dict.fromkeys(range(16), 0.02))
    row = rows(snapshots.freeze(project=garden))["1.png"]
    assert (probabilities(row), row["in_part"], row["tags"]) == ({"cat": 0.97}, [], ["cat"])


def test_what_is_seen_in_a_part_alone_is_no_tag_though_a_keyword_says_so(garden):
    image = add(garden, 1, keywords=["cat"])
    ask(image, "cat", probability=0.03, answers_count=4)
    cut(image, Concept.objects.get(), {3: 0.98})
    row = rows(snapshots.freeze(project=garden))["1.png"]
    assert (probabilities(row), row["in_part"], row["tags"]) == ({"cat": 0.98}, ["cat"], [])


def test_a_keyword_that_is_an_alias_counts_for_its_concept(garden):
    add(garden, 1, keywords=["Kitty", "red"])
    concept_of(garden, "cat", aliases=["kitty"])
    row = rows(snapshots.freeze(project=garden))["1.png"]
    assert (probabilities(row), row["tags"]) == ({"cat": 0.9}, ["cat", "red"])


def test_a_concept_that_nobody_asked_about_is_believed_at_its_prevalence(garden):
    add(garden, 1)
    concept_of(garden, "cat", prevalence=0.07)
    assert probabilities(rows(snapshots.freeze(project=garden))["1.png"]) == {"cat": 0.07}


def test_a_concept_that_is_switched_off_keeps_its_labels_and_a_merged_one_is_not_listed(garden):
    image = add(garden, 1)
    ask(image, "cat", probability=0.97, answers_count=3)
    ask(image, "kitty", probability=0.6, answers_count=1)
    cat = Concept.objects.get(name="cat")
    Concept.objects.filter(name="kitty").update(merged_into=cat, active=False)
    Concept.objects.update(active=False)
    snapshot = snapshots.freeze(project=garden)
    assert probabilities(rows(snapshot)["1.png"]) == {"cat": 0.97}
    assert snapshot_folder.read_manifest(local_folder(snapshot))["concepts"] == ["cat"]


def test_an_answered_concept_of_another_image_changes_nothing(garden):
    one, _ = add(garden, 1), add(garden, 2)
    ask(one, "cat", probability=0.97, answers_count=3)
    frozen = rows(snapshots.freeze(project=garden))
    assert [probabilities(frozen[name])["cat"] for name in ("1.png", "2.png")] == [0.97, 0.1]
    assert [frozen[name]["n_answers"] for name in ("1.png", "2.png")] == [3, 0]


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


def test_prevalence_alone_makes_no_tag(garden):
    add(garden, 1)
    asked, stated = add(garden, 2), add(garden, 3, keywords=["dog"])
    dog = concept_of(garden, "dog", prevalence=0.8)
    questions.ask_concepts(tiles=[tiles.whole(asked)], concepts=[dog])
    frozen = rows(snapshots.freeze(project=garden))
    assert {name: row["tags"] for name, row in frozen.items()} == {
        "1.png": [],
        "2.png": [],
        "3.png": ["dog"],
    }, stated
    Question.objects.update(answers_count=2, probability=0.95)
    assert rows(snapshots.freeze(project=garden))["2.png"]["tags"] == ["dog"]
    Question.objects.update(answers_count=0, probability=1.0, verdict=True)
    assert rows(snapshots.freeze(project=garden))["2.png"]["tags"] == ["dog"]


def test_a_part_that_does_not_show_it_makes_no_tag_of_the_whole(garden):
    image = add(garden, 1)
    cut(image, concept_of(garden, "dog", prevalence=0.8), {0: 0.01})
    assert rows(snapshots.freeze(project=garden))["1.png"]["tags"] == []

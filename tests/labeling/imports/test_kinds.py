"""Whether texts are captions or keywords is decided for all of a group together."""

import random

import pytest

from labeling.imports import kinds
from labeling.imports.entries import Entry, Kind, Reference
from tests.labeling.imports.reading import captions, keywords, kind, of_texts

TAGS = ["1girl", "solo", "long hair", "smile", "outdoors", "sky", "looking at viewer", "grass"]
NOUNS = ["dog", "cat", "bicycle", "lighthouse", "boy", "street", "river", "train", "owl", "boat"]


def tagged(count):
    pick = random.Random(1)
    return [", ".join(pick.sample(TAGS, 4)) for _ in range(count)]


def described(count):
    pick = random.Random(2)
    return [
        f"a {pick.choice(NOUNS)} no. {n}, seen from the {pick.choice(NOUNS)} at {n} o'clock"
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 5, 40, 2_000])
def test_lists_whose_parts_recur_are_keywords_however_many_there_are(count):
    index = of_texts(tagged(count))
    assert kind(index) == "keywords"
    assert all(len(each) == 4 for each in keywords(index).values())


@pytest.mark.parametrize("count", [1, 2, 5, 40, 2_000])
def test_sentences_with_commas_are_captions_however_many_there_are(count):
    index = of_texts(described(count))
    assert kind(index) == "captions" and len(captions(index)) == count


@pytest.mark.parametrize(
    "text",
    [
        "a bicycle, seen from behind",
        "un chien, une pelouse",
        "ein Hund, eine Katze, ein Haus",
        "สุนัขสีขาวนั่งอยู่บนสนามหญ้า",
        "一只白色的狗坐在草地上",
        "一只白色的狗，坐在绿色的草地上",
        "白い犬が、芝生の上に座っている",
        "흰 개가 잔디 위에 앉아 있다",
        "Sonnenuntergangsstimmung",
        'a sign that says "Stop, thief"',
        "Two dogs, one cat, all asleep.",
        "photo of a dog, close up, green eyes",
    ],
)
def test_one_caption_is_told_without_counting_words(text):
    assert captions(of_texts([text])) == {"0.png": [text]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("犬、猫、芝生", ["犬", "猫", "芝生"]),
        ("犬，猫，芝生", ["犬", "猫", "芝生"]),
        ("dog, cat, ", ["dog", "cat"]),
        (
            "hakurei shrine \\(setting\\), 1girl, dog, sky, red",
            ["hakurei shrine \\(setting\\)", "1girl", "dog", "sky", "red"],
        ),
        ("dog; cat; lawn", ["dog", "cat", "lawn"]),
        ("1girl long_hair looking_at_viewer", ["1girl", "long_hair", "looking_at_viewer"]),
        ("คน, หมา, แมว", ["คน", "หมา", "แมว"]),
        ("bicycle", ["bicycle"]),
    ],
)
def test_one_list_is_told_by_its_short_parts(text, expected):
    assert keywords(of_texts([text])) == {"0.png": expected}


def test_a_class_a_file_is_a_keyword():
    index = of_texts([NOUNS[n % 3] for n in range(30)])
    assert keywords(index)["1.png"] == ["cat"]


def test_one_caption_of_many_pictures_is_no_keyword():
    assert kind(of_texts(["a photo of a dog"] * 30)) == "captions"


def test_tags_on_lines_of_their_own_recur():
    index = of_texts([text.replace(", ", "\n") for text in tagged(40)])
    assert kind(index) == "keywords" and len(keywords(index)["0.png"]) == 4


def test_captions_on_lines_of_their_own_do_not():
    index = of_texts([f"{one}\n{two}" for one, two in zip(described(9), described(9), strict=True)])
    assert kind(index) == "captions"


def test_where_people_wrote_both_each_text_is_told_by_itself():
    index = of_texts(["a dog that sleeps", "red, old, wall", "the sea at night"])
    assert kind(index) == "mixed"
    assert keywords(index) == {"1.png": ["red", "old", "wall"]}
    assert set(captions(index)) == {"0.png", "2.png"}


def test_a_list_that_many_files_have_is_told_from_their_captions():
    index = of_texts([*described(16), *["cat, solo, indoors"] * 6])
    assert kind(index) == "mixed" and len(keywords(index)) == 6 and len(captions(index)) == 16


def test_what_a_mark_sets_off_from_tags_is_a_caption_among_lists():
    index = of_texts([*described(16), *["cat, solo, indoors"] * 6, "Halt, no. 1 ||| sign, wall"])
    assert kind(index) == "mixed" and captions(index)["22.png"] == ["Halt, no. 1"]
    assert keywords(index)["22.png"] == ["sign", "wall"]


def test_each_suffix_is_decided_by_itself_and_the_reason_is_said():
    index = of_texts(tagged(9))
    (decision,) = index.decisions
    words = kinds.in_words(decision.as_json())
    assert words == (
        "9 texts in .txt files are keywords: of the parts between commas, 100 % recur in other "
        "texts, and 100 % are short"
    )
    assert kind(of_texts(tagged(3), ".caption"), ".caption") == "captions"


@pytest.mark.parametrize("options", [{"": "captions"}, {".txt": "captions"}, {"txt": "captions"}])
def test_what_was_chosen_counts(options):
    index = of_texts(tagged(9), texts=options)
    assert kind(index) == "captions" and index.decisions[0].chosen
    assert index.decisions[0].reason == "so it was chosen"


def test_a_choice_for_one_group_leaves_the_others_as_they_look():
    index = of_texts(tagged(9), texts={"": "captions", ".txt": "auto"})
    assert kind(index) == "keywords"


def test_what_a_layout_says_is_not_decided():
    entry = Entry(Reference("a.png"), Kind.CAPTION, "dog, cat, lawn", "a.json")
    entries, decisions = kinds.decide([entry])
    assert list(entries) == [entry] and decisions == []


def test_wildcards_are_filled_in():
    index = of_texts(["{a|the} dog asleep on {grass|the sofa}"])
    assert captions(index)["0.png"] == [
        "a dog asleep on grass",
        "a dog asleep on the sofa",
        "the dog asleep on grass",
        "the dog asleep on the sofa",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a dog of the colour __colour__", "holds the wildcard __colour__"),
        ("{a|b} dog {c|d} is {e|f} here {g|h}", "its wildcards make more than 8 captions"),
        ("2 + 2 = 4", "its caption holds no words"),
        ("\u200f\u200d", "is empty"),
    ],
)
def test_what_no_caption_can_say_is_refused(text, reason):
    index = of_texts([text, "a dog asleep on the lawn"])
    refused = [each.reason for each in index.refusals]
    refused += [each.reason for each in index.by_path.get("0.png", index.by_path["1.png"]).problems]
    assert reason in "".join(refused) and set(captions(index)) == {"1.png"}


@pytest.mark.parametrize("text", ["{" + "|" * 60_000, "{" + "a|" * 30_000 + "}", "__a " * 15_000])
def test_a_text_made_to_take_long_does_not(text):
    assert len(captions(of_texts([text, "a dog asleep on the lawn"]))) == 1


def test_very_many_texts_are_decided_by_a_sample_of_them():
    assert kind(of_texts(tagged(30_000))) == "keywords"

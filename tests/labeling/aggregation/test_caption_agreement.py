"""Of several captions that one is best with which the others agree, and no one with themselves."""

import random

import numpy as np
import pytest

from labeling.aggregation.caption_agreement import CaptionSpace, Languages, Written, script, words

THINGS = [
    "dog",
    "cat",
    "horse",
    "boat",
    "tractor",
    "kite",
    "piano",
    "lamp",
    "bridge",
    "owl",
    "tent",
]
PLACES = ["grass", "beach", "street", "snow", "table", "roof", "meadow", "harbour", "kitchen"]
FORMS = (
    "a {thing} on the {place}",
    "the {thing} is standing on the {place}",
    "there is a {thing} and behind it the {place}",
    "one {thing} seen from the {place} with a cloud",
)
DOGS = [
    "a brown dog runs over the grass",
    "the dog is running on green grass",
    "there is a dog in the grass and it runs",
]


@pytest.fixture(scope="module")
def usual() -> CaptionSpace:
    """What is usual in a project of two hundred pictures, of four captions each."""
    dice = random.Random(1)
    texts, pictures = [], []
    for picture in range(200):
        thing, place = dice.choice(THINGS), dice.choice(PLACES)
        texts += [form.format(thing=thing, place=place) for form in FORMS]
        pictures += [picture] * len(FORMS)
    return CaptionSpace(texts, pictures)


def agreement(space, *texts, writer=None, origin=None, probability=None):
    """Return how near each of one picture's captions is to its others."""
    nobody = [-1] * len(texts)
    captions = Written(
        texts=list(texts),
        picture=np.zeros(len(texts), np.intp),
        writer=np.array(writer or nobody),
        origin=np.array(origin or nobody),
        probability=np.array(probability or [0.9] * len(texts)),
    )
    return space.agreement(captions).tolist()


def test_the_caption_of_another_picture_stands_apart(usual):
    *dogs, boat = agreement(usual, *DOGS, "a boat lies in the harbour at night")
    assert boat < -0.5 and min(dogs) > boat + 1


def test_of_two_captions_neither_can_be_told_to_be_worse(usual):
    assert agreement(usual, DOGS[0], "a boat lies in the harbour") == [0, 0]
    assert (
        agreement(usual, DOGS[0]) == [0]
        and usual.agreement(Written([], np.zeros(0, np.intp), *(np.zeros(0),) * 3)).tolist() == []
    )


def test_one_sentence_below_every_picture_is_no_agreement():
    everywhere = "a very nice picture of something"
    dice = random.Random(2)
    texts, pictures = [], []
    for picture in range(100):
        thing, place = dice.choice(THINGS), dice.choice(PLACES)
        texts += [*(form.format(thing=thing, place=place) for form in FORMS[:2]), everywhere]
        pictures += [picture] * 3
    space = CaptionSpace(texts, pictures)
    *dogs, copied = agreement(space, *DOGS, everywhere)
    assert copied < min(dogs)


def test_a_writers_own_captions_say_nothing_for_each_other(usual):
    boats = ["a boat is in the harbour", "the boat lies in a harbour", "boats in a harbour, a boat"]
    alone = agreement(usual, *DOGS, *boats, writer=[1, 2, 3, 4, 4, 4])
    assert max(alone[3:]) < min(alone[:3])
    by_three = agreement(usual, *DOGS, *boats, writer=[1, 2, 3, 4, 5, 6])
    assert min(by_three[3:]) > max(alone[3:])


def test_copies_of_one_text_are_one_voice(usual):
    boats = [f"a boat lies in the harbour at night{mark}" for mark in ("", ".", "!", " .", "…")]
    near = agreement(usual, *DOGS, *boats)
    assert max(near[3:]) < min(near[:3])


def test_captions_that_are_believed_false_do_not_outvote_others(usual):
    boats = ["a boat is in the harbour", "the boat lies in a harbour", "boats in a harbour, a boat"]
    doubted = agreement(usual, *DOGS, *boats, *boats, probability=[0.95] * 3 + [0.1] * 6)
    assert max(doubted[3:]) < min(doubted[:3])


def test_another_script_is_neither_near_nor_apart(usual):
    *others, chinese = agreement(usual, *DOGS, "a boat in the harbour", "一只狗在草地上跑")
    assert chinese == 0 and min(others) < 0 < max(others)


def test_another_language_is_neither_near_nor_apart():
    dice = random.Random(3)
    german = "der {thing} steht auf der {place}", "ein {thing} und hinter ihm die {place}"
    texts, pictures = [], []
    for picture in range(200):
        thing, place = dice.choice(THINGS), dice.choice(PLACES)
        forms = FORMS if picture % 3 else german
        texts += [form.format(thing=thing, place=place) for form in forms]
        pictures += [picture] * len(forms)
    space = CaptionSpace(texts, pictures)
    *others, hund = agreement(space, *DOGS, "a boat in the harbour", "der Hund und die Wiese")
    assert hund == 0 and min(others) < 0 < max(others)
    languages = Languages(texts)
    one, other = np.array([0, 0]), np.array([1, 2])
    pairs = languages.comparable(["a dog on the grass", "the old boat", "der Hund"], one, other)
    assert pairs.tolist() == [True, False]


def test_languages_without_spaces_are_compared_too():
    texts = ["一只狗在草地上跑", "草地上有一只狗", "狗在草地上奔跑", "港口里停着一艘船"]
    space = CaptionSpace([*texts, "一只猫坐在屋顶上", "桌上有一个茶壶"], [0, 0, 0, 0, 1, 2])
    *dogs, boat = agreement(space, *texts)
    assert boat < min(dogs)


def test_a_flood_of_captions_takes_no_more_time_than_some(usual):
    dice = random.Random(4)
    flood = [f"{dice.choice(THINGS)} {dice.choice(PLACES)} {number}" for number in range(3_000)]
    near = agreement(usual, *DOGS, *flood, probability=[0.9] * 3 + [0.6] * 3_000)
    assert np.count_nonzero(near) <= 40


def test_the_order_does_not_matter_and_another_encoder_can_be_asked(usual):
    texts = [*DOGS, "a boat in the harbour"]
    near = agreement(usual, *texts)
    assert agreement(usual, *texts[::-1]) == pytest.approx(near[::-1])
    angle = dict(zip(texts, (0.0, 0.5, 1.0, 2.5), strict=True))  # one beside the other

    def encode(some):
        return np.array([[np.cos(angle[each]), np.sin(angle[each])] for each in some])

    *dogs, boat = agreement(CaptionSpace(texts, [0, 0, 0, 0], encode), *texts)
    assert boat < min(dogs)


def test_words_and_scripts_are_those_of_any_language():
    assert words("Don’t  STOP—café, हिन्दी!") == ["don", "t", "stop", "café", "हिन्दी"]
    assert [script(each) for each in ("Straße", "Привет", "日本のカメラ", "🙂 1")] == [
        "LATIN",
        "CYRILLIC",
        "CJK",
        "",
    ]

"""Texts as kohya's trainer reads them: beside the pictures, and its fine-tune JSON."""

import json

from tests.labeling.imports.reading import captions, keywords, read, reasons
from tests.labeling.imports.sources import fill

PICTURES = {"10_dog/a.png": b"", "10_dog/b.jpg": b""}


def test_a_text_may_be_named_after_the_whole_name(box):
    fill(box, **PICTURES, **{"10_dog/a.png.txt": "a dog asleep", "10_dog/b.caption": "two dogs"})
    assert captions(read(box)) == {"10_dog/a.png": ["a dog asleep"], "10_dog/b.jpg": ["two dogs"]}


def test_tags_and_numbered_captions_are_read_by_their_suffixes(box):
    fill(box, **PICTURES, **{"10_dog/a.tags": "dog, lawn", "10_dog/a.caption1": "a dog there"})
    index = read(box)
    assert captions(index) == {"10_dog/a.png": ["a dog there"]}
    assert keywords(index) == {"10_dog/a.png": ["dog", "lawn"]}


def test_the_fine_tune_json_is_read_by_its_keys(box):
    meta = {
        "10_dog/a": {"caption": "a dog, asleep", "tags": "dog, lawn", "train_resolution": [64, 64]},
        "/home/me/train/10_dog/b.jpg": {"caption": "two dogs"},
        "c": {"caption": "nobody"},
        "10_dog/b": {},
    }
    fill(box, **PICTURES, **{"meta.json": json.dumps(meta)})
    index = read(box)
    assert captions(index) == {"10_dog/a.png": ["a dog, asleep"], "10_dog/b.jpg": ["two dogs"]}
    assert keywords(index) == {"10_dog/a.png": ["dog", "lawn"]}
    assert reasons(index)["meta.json, c"] == "a text without a picture of the same name"
    assert "found nothing; wanted" in reasons(index)["meta.json, 10_dog/b"]


def test_a_lone_tag_is_one_where_the_fine_tune_json_says_so(box):
    beside = {"a": "a dog sleeps on the lawn.", "b": "dog, lawn, night", "c": "old house"}
    meta = {"c": {"tags": "old house"}}
    pictures = dict.fromkeys([f"{name}.png" for name in beside], b"")
    fill(box, **pictures, **{f"{name}.txt": text for name, text in beside.items()})
    fill(box, **{"train.json": json.dumps(meta)})
    index = read(box, texts={"txt": "mixed"})
    assert captions(index) == {"a.png": ["a dog sleeps on the lawn."]}
    assert keywords(index) == {"b.png": ["dog", "lawn", "night"], "c.png": ["old house"]}


def test_captions_by_the_names_of_pictures_are_read(box):
    document = {"a.png": "a dog there", "b.jpg": ["one dog", "two dogs"]}
    fill(box, **PICTURES, **{"captions.json": json.dumps(document)})
    index = read(box)
    assert captions(index) == {
        "10_dog/a.png": ["a dog there"],
        "10_dog/b.jpg": ["one dog", "two dogs"],
    }


def test_what_the_trainer_caches_beside_a_picture_is_no_picture(box):
    text = {"10_dog/a.txt": "a dog asleep", "10_dog/b.txt": "two dogs"}
    caches = {"10_dog/a.npz": "", "10_dog/b_te.safetensors": "", "config.toml": "x = 1"}
    fill(box, **PICTURES, **text, **caches)
    index = read(box)
    assert captions(index) == {"10_dog/a.png": ["a dog asleep"], "10_dog/b.jpg": ["two dogs"]}
    assert index.images == 2
    assert {remark.where for remark in index.remarks} == caches.keys()


def test_what_follows_the_separator_of_kept_tokens_are_keywords(box):
    fill(box, **PICTURES, **{"10_dog/a.txt": "a dog, asleep ||| dog, red;;; white, lawn"})
    index = read(box)
    assert captions(index) == {"10_dog/a.png": ["a dog, asleep"]}
    assert keywords(index) == {"10_dog/a.png": ["dog", "red, white", "lawn"]}

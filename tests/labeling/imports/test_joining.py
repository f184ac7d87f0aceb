"""A text is attached to the one picture that it names, and to no other."""

import random

import pytest

from labeling.imports import joining, nearness
from labeling.imports.entries import By, Reference
from labeling.imports.joining import Pictures, why_not
from labeling.imports.paths import inside, normal


@pytest.mark.parametrize(
    ("paths", "reference", "found"),
    [
        (["a.png"], Reference("a", By.STEM), ["a.png"]),
        (["a.png", "a.jpg"], Reference("a", By.STEM), ["a.jpg", "a.png"]),
        (["a.png", "a.jpg"], Reference("a.png", By.STEM), ["a.png"]),  # of a.png.txt
        (["a.cr2", "a.jpg", "a.npz"], Reference("a", By.STEM), ["a.jpg"]),
        (["x/a.jpg", "x/a.mp4"], Reference("labels/a", By.NAME), ["x/a.jpg"]),
        (["A.PNG"], Reference("a", By.STEM), ["A.PNG"]),
        (["A.PNG", "a.png"], Reference("a", By.STEM), ["a.png"]),
        (["1.image.png"], Reference("1.caption", By.STEM), ["1.image.png"]),  # a WebDataset's key
        (["1.left.png", "1.right.png"], Reference("1", By.STEM), ["1.left.png", "1.right.png"]),
        (["b/a.png"], Reference("a", By.STEM), []),
        (["A.PNG"], Reference("a.png"), ["A.PNG"]),
        (["b/a.png"], Reference("a.png"), []),
        (["b/a.png"], Reference("a.png", By.BELOW), ["b/a.png"]),
        (["a.png", "b/a.png"], Reference("a.png", By.BELOW), ["a.png"]),
        (["b/a.png", "c/a.png"], Reference("a.png", By.BELOW), ["b/a.png", "c/a.png"]),
        (["b/a.png"], Reference("c/a.png", By.BELOW), []),
        (["x/b/a.png"], Reference("b/a.png", By.END), ["x/b/a.png"]),
        (["x/b/a.png", "y/b/a.png"], Reference("b/a.png", By.END), ["x/b/a.png", "y/b/a.png"]),
        (["b/a.png", "x/b/a.png"], Reference("b/a.png", By.END), ["b/a.png"]),
        (["a.png"], Reference("images/a.png", By.END), ["a.png"]),
        (["x/a.png"], Reference("images/a.png", By.END), ["x/a.png"]),
        (["1/a.png", "2/a.png"], Reference("a.png", By.END), ["1/a.png", "2/a.png"]),
        (["b.png"], Reference("a.png", By.END), []),
        (["1/a.png", "2/a.png"], Reference("a.png", By.END, folder="1"), ["1/a.png"]),
        (["1/a.png", "a.png"], Reference("a.png", By.END, folder="1"), ["1/a.png"]),
        (["1/a.png", "2/a.png"], Reference("../2/a.png", By.END, folder="1"), ["2/a.png"]),
        (["1/a.png", "2/a.png"], Reference("a.png", By.END, folder="3"), ["1/a.png", "2/a.png"]),
    ],
)
def test_a_reference_finds_what_it_may_mean(paths, reference, found):
    assert Pictures.of(paths).find(reference) == found


def test_two_pictures_that_are_not_there_are_not_taken_for_one_of_their_name():
    pictures = Pictures.of(["x/0001.png"])
    references = [Reference(f"cam{n}/0001.png", By.END) for n in (1, 2)]
    for reference in references:
        pictures.expect(reference)
    assert [pictures.find(reference) for reference in references] == [[], []]


def test_it_says_why_a_text_is_of_no_picture():
    assert why_not(Reference("b/a.png"), []) == "names b/a.png, which is not there"
    assert why_not(Reference("a", By.STEM), []) == "a text without a picture of the same name"
    fits = why_not(Reference("a", By.STEM), ["a.gif", "a.jpg", "a.png", "a.webp"])
    assert fits == "fits 4 pictures: a.gif, a.jpg, a.png …"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.png", "a/b.png"),
        ("a\\b.png", "a/b.png"),
        ("./a//b.png", "a/b.png"),
        ("e\u0301.png", "\u00e9.png"),
        (".hidden/a.png", ".hidden/a.png"),
    ],
)
def test_paths_have_one_form_whoever_wrote_them(path, expected):
    assert normal(path) == expected


@pytest.mark.parametrize(
    ("folder", "name", "expected"),
    [("y", "../x/a.png", "x/a.png"), (".", "a.png", "a.png"), ("y", "../../a.png", None)],
)
def test_a_file_is_named_from_a_folder(folder, name, expected):
    assert inside(folder, name) == expected


def test_the_nearest_of_many_is_the_nearest_of_all():
    """The index of many paths says the same as comparing each of them."""
    draw = random.Random(5)

    def path():
        return "/".join([*draw.choices("abc", k=draw.randint(0, 4)), "1.png"])

    for _ in range(200):
        paths = {path() for _ in range(draw.randint(9, 40))}
        indexed, one = nearness.Folders.of(paths), path()
        each = {other: nearness.nearness(one, other) for other in sorted(paths)}
        most = max(each.values())
        assert sorted(indexed.nearest(one)) == [other for other in each if each[other] == most]
        assert indexed.nearness(one) == most


def test_the_same_name_in_thousands_of_folders_is_joined_in_one_go(monkeypatch):
    compared = []
    compare = nearness.nearness
    monkeypatch.setattr(
        joining, "nearness", lambda *paths: compared.append(paths) or compare(*paths)
    )
    count = 3_000
    pictures = Pictures.of(f"cam{n}/images/1.png" for n in range(count))
    beside = [Reference(f"cam{n}/labels/1", By.NAME) for n in range(count)]
    ends = [Reference(f"data/cam{n}/images/1.png", By.END) for n in range(count)]
    for reference in (*beside, *ends):
        pictures.expect(reference)
    for references in (beside, ends):
        found = [pictures.find(reference) for reference in references]
        assert found == [[f"cam{n}/images/1.png"] for n in range(count)]
    assert len(compared) == count

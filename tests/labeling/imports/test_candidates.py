"""Which concepts a source names, and what the command says of them."""

import pytest

from labeling.imports import candidates, source, source_index
from labeling.models import Concept, Image, Project, Question
from tests.labeling.imports.sources import fill, refused, take
from tests.pictures import png

pytestmark = pytest.mark.django_db


@pytest.fixture
def photos(db):
    return Project.objects.create(slug="photos", name="Photos")


def named(box, project):
    """Return what a folder names, by name."""
    index = source_index.build(source.find(box))
    return {each.name: each for each in candidates.gather(index, project).listed}


def pictures(box, *keywords):
    fill(box, **{f"{n}.png": png(n) for n in range(len(keywords))})
    fill(box, **{f"{n}.txt": text for n, text in enumerate(keywords) if text})


def test_keywords_are_counted_by_picture_and_their_spellings_are_one(box, photos):
    pictures(box, "Bird, sky, day", "bird, BIRD, sky", "bird, owl, sky", "")
    bird = named(box, photos)["bird"]
    assert (bird.pictures, bird.keywords, bird.folders) == (3, 3, 0)
    assert list(bird.spellings) == ["BIRD", "Bird"]


def test_a_picture_that_folder_and_keyword_name_counts_once(box, photos):
    fill(box, **{"owl/a.png": png(1), "owl/a.txt": "owl, sky, day", "owl/b.png": png(2)})
    owl = named(box, photos)["owl"]
    assert (owl.pictures, owl.keywords, owl.folders) == (2, 1, 2)


def test_plural_and_singular_are_two(box, photos):
    pictures(box, "birds, sky, day", "bird, sky, day")
    assert {"bird", "birds"} <= named(box, photos).keys()


def test_folders_and_keywords_that_tell_pictures_apart_are_ticked(box, photos):
    pictures(box, "bird, sky, day", "bird, sky, owl", "sky, night, moon", "sky, dusk, sea")
    fill(box, **{"swan/4.png": png(4), "swan/4.txt": "sky, water, lake"})
    assert ticked(box, photos) == {"swan", "bird"}


def ticked(box, project):
    return {name for name, each in named(box, project).items() if each.ticked}


def test_what_nearly_every_picture_is_named_is_not_ticked(box, photos):
    texts = [f"holiday, {'bird, sky' if n % 2 else 'owl, day'}" for n in range(39)]
    fill(box, **{f"summer/{n}.png": png(n) for n in range(40)})
    fill(box, **{f"summer/{n}.txt": text for n, text in enumerate(texts)})
    assert {"summer", "holiday"} <= named(box, photos).keys()
    assert ticked(box, photos) == {"bird", "sky", "owl", "day"}


def test_a_folder_that_holds_every_picture_is_ticked_where_it_is_all_there_is(box, photos):
    fill(box, **{f"owl/{n}.png": png(n) for n in range(3)})
    assert ticked(box, photos) == {"owl"}
    fill(box, **{"owl/0.txt": "sky, night, moon"})
    assert ticked(box, photos) == set()


def test_what_the_project_asks_about_already_is_said(box, photos):
    Concept.objects.create(project=photos, name="uccello", phrase="a bird", aliases=["bird"])
    pictures(box, "bird, sky, day")
    row = named(box, photos)["bird"]
    assert (row.concept, row.ticked) == ("uccello", True)


def test_a_concept_that_is_switched_off_is_said_to_be_and_not_ticked(box, photos):
    Concept.objects.create(project=photos, name="bird", phrase="a bird", active=False)
    pictures(box, "bird, sky, day", "bird, sky, day", "sky, day")
    row = named(box, photos)["bird"]
    assert row.switched_off and not row.ticked


def test_of_a_hundred_thousand_keywords_the_most_frequent_are_listed(photos):
    index = source_index.SourceIndex(images=100_000)
    for number in range(100_000):
        index.keywords.add([f"word {number}", f"tenth {number % 10}"], folder="")
    gathered = candidates.gather(index, photos)
    assert len(gathered.listed) == candidates.LISTED_MAX
    assert gathered.more == 100_010 - candidates.LISTED_MAX
    assert {each.name for each in gathered.listed if each.ticked} == {
        f"tenth {n}" for n in range(10)
    }


def test_pictures_with_keywords_are_not_taken_without_a_word(box):
    pictures(box, *32 * ["bird"], *2 * ["owl"], *10 * [""])
    output = take(box)
    assert "Its keywords name 2 concepts: bird 32, owl 2." in output
    assert "Nobody is asked about its keywords" in output and '--concepts "bird,owl"' in output
    assert "The project has no concepts" in output
    output = take(box, concepts="bird,owl")
    assert "already there 44" in output and "Nobody is asked" not in output
    assert Question.objects.filter(reason="stated").count() == 34
    assert Concept.objects.get(name="bird").prevalence == pytest.approx(32 / 44)


def test_all_concepts_that_a_source_names_can_be_chosen_at_once(box):
    pictures(box, "bird, sky, day", "owl, sky, night")
    take(box, concepts="all")
    assert Concept.objects.count() == 5


def test_names_that_are_none_are_refused_before_anything_is_made(box):
    pictures(box, "bird")
    assert "names no concept" in refused(box, concepts="bird,\x1b[31m")
    assert "No concept is named" in refused(box, concepts=" , ")
    assert not Image.objects.exists() and not Project.objects.exists()

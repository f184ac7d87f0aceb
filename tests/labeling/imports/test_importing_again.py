"""A source is imported again after its texts, or the project's concepts, have changed."""

import pytest

from labeling import beliefs, concepts, merging
from labeling.beliefs import Beliefs
from labeling.imports import batch_importer
from labeling.models import Concept, Project, Question
from labeling.tasks import fill_due_pools
from tests.labeling.imports.sources import fill, prior, publish, take
from tests.pictures import png

pytestmark = pytest.mark.django_db


@pytest.fixture
def meadow(box):
    """Two pictures of cats, one of a horse."""
    fill(box, **{"cat/0.png": png(0), "cat/1.png": png(1), "horse/2.png": png(2)})
    take(box)
    return box


def believed(concept: str, source: str) -> float:
    """Return what is believed of a pair whether it is stored or not."""
    project = Project.objects.get()
    tile = project.images.get(source=source).tiles.get(grid=1)
    about = Beliefs(project, [project.concepts.get(name=concept)])
    return float(about.priors(beliefs.facts([tile.pk])).probability[0, 0])


def test_a_keyword_that_is_replaced_states_nothing_any_more(box):
    fill(box, **{"2000.png": png(0), "2000.txt": "vehicle, car", "other.png": png(1)})
    take(box)
    for name in ("car", "bird"):
        concepts.create(project=Project.objects.get(), name=name)
    car = Concept.objects.get(name="car")
    assert prior("car", "2000.png") == pytest.approx(0.9)
    fill(box, **{"2000.txt": "vehicle, bird"})
    take(box)
    question = Question.objects.get(concept=car, tile__image__source="2000.png")
    assert question.stated is None
    assert question.probability == pytest.approx(car.prevalence) == believed("car", "2000.png")
    assert prior("bird", "2000.png") == pytest.approx(0.9) == believed("bird", "2000.png")


def test_the_class_of_a_folder_stays_when_its_keyword_is_replaced(box):
    files = {"cat/0.png": png(0), "dog/1.png": png(1)}
    fill(box, **files, **{"cat/0.txt": "cat, sun", "dog/1.txt": "cat, sun"})
    take(box)
    assert prior("cat", "dog/1.png") == pytest.approx(0.9)
    fill(box, **{"cat/0.txt": "rain, sun", "dog/1.txt": "rain, sun"})
    take(box)
    assert prior("cat", "cat/0.png") == pytest.approx(0.9) == believed("cat", "cat/0.png")
    assert prior("cat", "dog/1.png") == pytest.approx(0.1) == believed("cat", "dog/1.png")


def test_what_a_caller_stated_stays(box):
    fill(box, **{"0.png": png(0), "0.txt": "car, sun"})
    take(box)
    concepts.create(project=Project.objects.get(), name="car")
    Question.objects.update(stated=0.7)
    fill(box, **{"0.txt": "bird, sun"})
    take(box)
    assert Question.objects.get().stated == 0.7


def test_the_class_of_a_folder_is_believed_without_a_question(meadow):
    Question.objects.all().delete()
    assert believed("cat", "cat/0.png") == pytest.approx(0.9)
    assert believed("cat", "horse/2.png") == pytest.approx(0.1)


def test_a_concept_that_is_created_again_is_what_its_folder_states(meadow):
    concepts.delete(Concept.objects.get(name="horse"))
    horse = concepts.create(project=Project.objects.get(), name="horse")
    assert horse.prevalence == pytest.approx(1 / 3)
    publish()
    fill_due_pools()
    assert prior("horse", "horse/2.png") == pytest.approx(0.9)
    assert prior("horse", "cat/0.png") == pytest.approx(1 / 3)
    take(meadow)
    for source, stated in {"horse/2.png": 0.9, "cat/0.png": 0.1, "cat/1.png": 0.1}.items():
        assert prior("horse", source) == pytest.approx(stated) == believed("horse", source)


def test_the_class_of_a_merged_concept_is_the_survivors(meadow, ada):
    cat, horse = (Concept.objects.get(name=name) for name in ("cat", "horse"))
    merging.merge(concept=horse, into=cat, by=ada)
    Question.objects.filter(concept=cat).delete()
    assert believed("cat", "horse/2.png") == pytest.approx(0.9)
    take(meadow)
    assert prior("cat", "horse/2.png") == prior("cat", "cat/0.png") == pytest.approx(0.9)


def test_an_import_that_changes_nothing_holds_no_concepts(meadow, monkeypatch):
    monkeypatch.setattr(batch_importer, "Watch", None)  # would not be callable
    assert "already there 3" in take(meadow)


def test_a_new_concept_is_as_frequent_however_it_is_added(box, tmp_path):
    fill(box, **{f"{n}.png": png(n) for n in range(4)})
    fill(box, **{f"{n}.txt": "velo, tram, sun" for n in range(2)})
    take(box)
    file = tmp_path / "concepts.txt"
    file.write_text("velo\ncloud\n")
    take(box, concepts=file)
    tram = concepts.create(project=Project.objects.get(), name="tram")
    assert Concept.objects.get(name="velo").prevalence == tram.prevalence == pytest.approx(0.5)
    assert Concept.objects.get(name="cloud").prevalence == pytest.approx(0.1)

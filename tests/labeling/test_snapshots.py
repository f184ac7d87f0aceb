"""Labels → an immutable folder."""

import hashlib
import io
import json
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from PIL import Image as Picture

from labeling import images, questions, snapshots
from labeling.images import tiles
from labeling.models import Concept, Image, Project, Question, Snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folders(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.SNAPSHOT_ROOT = tmp_path / "snapshots"
    settings.CACHE_ROOT = tmp_path / "cache"


@pytest.fixture
def project():
    return Project.objects.create(slug="garden", name="Garden")


def add(project: Project, number: int, **more) -> Image:
    """A picture unlike any other: its number in stripes."""
    picture = Picture.new("RGB", (32, 32), (number * 37 % 256, number * 91 % 256, 40))
    for bit in range(8):
        if number >> bit & 1:
            picture.paste((255, 255, 255), (bit * 4, 0, bit * 4 + 3, 32))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return images.add(project=project, data=file.getvalue(), source=f"{number}.png", **more)[0]


def caption(image: Image, text: str, probability: float) -> None:
    questions.ask_captions(
        captions=[(tiles.whole(image), text)], source=Question.Source.IMPORT, prior=probability
    )


def rows(snapshot: Snapshot) -> dict[str, dict]:
    folder = Path(snapshot.folder)
    every = [row for split in ("train", "test") for row in snapshots.read_rows(folder, split)]
    return {row["source"]: row for row in every}


def test_it_writes_what_is_believed_of_each_picture(project):
    image = add(project, 1, keywords=["red", "tree"], license="MIT")
    tree, bird = (
        Concept.objects.create(project=project, name=name, phrase=f"a {name}", prevalence=0.1)
        for name in ("tree", "bird")
    )
    questions.ask_concepts(tiles=[tiles.whole(image)], concepts=[tree, bird])
    Question.objects.filter(concept=bird).update(probability=0.97, answers_count=3)
    Question.objects.filter(concept=tree).update(probability=0.1, answers_count=1)
    caption(image, "a bird in a tree", 0.9)
    caption(image, "a spoon", 0.2)

    row = rows(snapshots.freeze(project=project))["1.png"]

    assert row["text"] == "a bird in a tree"
    assert [c["text"] for c in row["captions"]] == ["a bird in a tree"]
    assert row["concepts"] == {"bird": 0.97, "tree": 0.1}
    assert row["tags"] == ["red", "bird"], "the crowd doubts the imported “tree”"
    assert row["n_answers"] == 4
    assert (row["license"], row["width"], row["generated"]) == ("MIT", 32, False)


def test_an_imports_keyword_is_believed_until_people_speak(project):
    image = add(project, 1, keywords=["tree"])
    tree = Concept.objects.create(project=project, name="tree", phrase="a tree", prevalence=0.1)
    questions.ask_concepts(tiles=[tiles.whole(image)], concepts=[tree])
    row = rows(snapshots.freeze(project=project))["1.png"]
    assert (row["concepts"], row["tags"]) == ({"tree": 0.9}, ["tree"])


def test_a_picture_shows_what_its_surest_tile_shows(project):
    image = add(project, 1)
    cat = Concept.objects.create(project=project, name="cat", phrase="a cat")
    questions.ask_concepts(tiles=tiles.cut(image, grid=4), concepts=[cat])
    question = Question.objects.filter(tile__position=6).get()
    Question.objects.filter(pk=question.pk).update(probability=0.99)
    row = rows(snapshots.freeze(project=project))["1.png"]
    assert row["concepts"] == {"cat": 0.99}
    assert (row["in_part"], row["tags"]) == ("cat", []), "it is not a picture of a cat"


def test_the_same_beliefs_give_the_same_hash_and_new_ones_another(project):
    image = add(project, 1)
    caption(image, "a stripe", 0.9)
    first = snapshots.freeze(project=project)
    second = snapshots.freeze(project=project)
    Question.objects.update(probability=0.6)
    third = snapshots.freeze(project=project)
    assert first.sha256 == second.sha256 != third.sha256
    assert first.folder == second.folder != third.folder


def test_the_manifest_names_every_file_with_its_hash(project):
    for number in range(5):
        add(project, number)
    folder = Path(snapshots.freeze(project=project).folder)
    files = snapshots.read_manifest(folder)["files"]
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    assert set(files) == set(found) - {"manifest.json"}
    for name, digest in files.items():
        assert hashlib.sha256(found[name].read_bytes()).hexdigest() == digest


def test_generated_pictures_stay_out_unless_asked_for(project):
    add(project, 1)
    add(project, 2, generated=True, prompt="a bird")
    assert set(rows(snapshots.freeze(project=project))) == {"1.png"}
    both = rows(snapshots.freeze(project=project, include_generated=True))
    assert both["2.png"]["generated"] is True


def test_near_duplicates_never_straddle_the_splits(project):
    original, twin = add(project, 1), add(project, 2)
    Image.objects.filter(pk=twin.pk).update(near_duplicate_of=original)
    twin.refresh_from_db()
    assert snapshots._split(twin) == snapshots._split(original)


@pytest.mark.parametrize("damage", ["lost", "changed"])
def test_a_picture_gone_bad_fails_the_snapshot_and_leaves_nothing(project, settings, damage):
    image = add(project, 1)
    path = Path(default_storage.path(image.file.name))
    path.unlink() if damage == "lost" else path.write_bytes(b"something else")
    snapshot = snapshots.freeze(project=project)
    assert snapshot.state == Snapshot.State.FAILED
    assert "1.png" in snapshot.error and "restore it" in snapshot.error
    assert not any(Path(settings.SNAPSHOT_ROOT).iterdir())


def test_an_empty_project_has_no_snapshot(project):
    snapshot = snapshots.freeze(project=project)
    assert snapshot.state == Snapshot.State.FAILED
    assert "import some first" in snapshot.error


def test_a_changed_file_is_found_before_it_is_used(project):
    add(project, 1)
    folder = Path(snapshots.freeze(project=project).folder)
    snapshots.verify(folder)
    metadata = next(folder.glob("*/metadata.jsonl"))
    row = json.loads(metadata.read_text())
    metadata.write_text(json.dumps(row | {"text": "a lie"}) + "\n")
    with pytest.raises(snapshots.SnapshotError, match=r"changed after freezing"):
        snapshots.verify(folder)


def test_the_command_says_what_it_froze(project, capsys):
    add(project, 1)
    call_command("snapshot", project="garden")
    assert "1 pictures" in capsys.readouterr().out


def test_the_command_names_the_projects_that_there_are(project):
    with pytest.raises(CommandError, match=r"no project “gardn” .*garden"):
        call_command("snapshot", project="gardn")

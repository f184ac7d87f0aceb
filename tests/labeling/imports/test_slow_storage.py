"""A storage that takes long for each call is asked little, and much at a time."""

import threading
from typing import Any

import pytest

from labeling import images, removal, tasks
from labeling.decoding import Picture
from labeling.images import NewImage
from labeling.images.duplicates import DuplicateIndex
from labeling.models import Import, Project
from labeling.stored_folders import threads
from tests.fake_bucket import FakeBucket
from tests.labeling.imports.uploading import upload
from tests.pictures import png

pytestmark = pytest.mark.django_db(transaction=True)
PICTURES = 2 * threads.AT_ONCE


@pytest.fixture
def birds(settings: Any) -> Project:
    settings.UPLOAD_MIN_FREE_BYTES = 0
    return Project.objects.create(slug="birds", name="Birds")


def requests(remote: FakeBucket, begin: str) -> int:
    return sum(count for name, count in remote.asked.items() if name.startswith(begin))


def add(project: Project, picture: Picture, written: images.Written) -> None:
    images.add_many(
        project=project,
        new_images=[NewImage(picture=picture, source="an.png")],
        duplicate_index=DuplicateIndex(project),
        written=written,
    )


def test_new_pictures_are_put_many_at_a_time_and_not_asked_for(
    remote: FakeBucket, birds: Project, carol: Any
) -> None:
    files = {f"{number}.png": png(number, (32, 32)) for number in range(PICTURES)}
    upload(birds, carol, files, concepts=[])
    together = threading.Barrier(threads.AT_ONCE, timeout=30)

    def wait_for_others(request: str) -> None:
        if request.startswith("PUT images"):
            together.wait()

    remote.before = wait_for_others
    tasks.advance_imports()
    record = Import.objects.get()
    assert (record.state, record.counts["taken"]) == ("done", PICTURES)
    assert requests(remote, "PUT images") == PICTURES
    assert requests(remote, "HEAD images") == 0
    sources = birds.images.order_by("pk").values_list("source", flat=True)
    assert list(sources) == sorted(files)


def test_what_another_project_has_is_not_sent_again(
    remote: FakeBucket, birds: Project, carol: Any
) -> None:
    images.add(project=birds, data=png(1), source="an.png")
    others = Project.objects.create(slug="others", name="Others")
    remote.asked.clear()
    images.add(project=others, data=png(1), source="an.png")
    assert (requests(remote, "HEAD images"), requests(remote, "PUT images")) == (1, 0)


@pytest.mark.parametrize("of_same", [True, False])
def test_what_is_deleted_before_its_row_is_stored_is_written_again(
    remote: FakeBucket, birds: Project, alice: Any, of_same: bool
) -> None:
    others = Project.objects.create(slug="others", name="Others")
    removed, _ = images.add(project=others, data=png(1 if of_same else 2), source="an.png")
    picture = images.preparer()(png(1))
    written = images.write_ahead([picture])
    removal.remove([removed], by=None, reason="It is blurred.")
    add(birds, picture, written)
    image = birds.images.get()
    assert image.file.name in remote.objects["files"]

"""Pictures that are removed are gone from everything; the answers about them are kept."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test import TestCase

from labeling import challenges, images, pools, questions, removal, review, snapshots
from labeling.images import duplicates, tiles
from labeling.inference import recompute
from labeling.models import (
    Answer,
    Challenge,
    Event,
    Image,
    Project,
    Question,
    RemovedAnswer,
    RemovedImage,
    Snapshot,
    Tile,
)
from labeling.snapshots import local_folder
from tests.cast import answer
from tests.concurrency import meanwhile
from tests.labeling.garden import add, add_many
from tests.pictures import encoded, patchwork, png

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.CACHE_ROOT = tmp_path / "cache"


def remove(*rows: Image, by=None, reason: str = "private") -> removal.Removal:
    with TestCase.captureOnCommitCallbacks(execute=True):
        return removal.remove(rows, by=by, reason=reason)


def first(project: Project) -> Image:
    return project.images.order_by("pk")[0]


def about(image: Image) -> list[int]:
    questions = Question.objects.filter(tile__image=image)
    return list(questions.order_by("pk").values_list("pk", flat=True))


def test_a_removed_picture_is_gone_with_its_tiles_and_questions(shapes, ada):
    image = first(shapes)
    before = Image.objects.count(), Tile.objects.count(), Question.objects.count()
    gone = len(about(image))
    removed = remove(image, by=ada)
    assert (removed.images, removed.questions, removed.answers) == (1, gone, 0)
    after = Image.objects.count(), Tile.objects.count(), Question.objects.count()
    assert after == (before[0] - 1, before[1] - 1, before[2] - gone)
    event = Event.objects.get(kind="import")
    assert event.actor == "ada" and "Removed 1 picture with 0 answers" in event.message
    assert "private" in event.message


def test_its_answers_are_kept_and_count_for_nothing(shapes, alice, bob):
    image, other = shapes.images.order_by("pk")[:2]
    answer(alice, {about(image)[0]: True, about(other)[0]: True}, seconds=2.5)
    answer(bob, {about(image)[0]: False})
    given = Answer.objects.get(annotator=alice, question=about(image)[0])
    removed = remove(image)
    assert (removed.answers, Answer.objects.count(), RemovedAnswer.objects.count()) == (2, 1, 2)
    row = RemovedAnswer.objects.get(annotator=alice)
    assert (row.answer_id, row.value, row.seconds) == (given.pk, True, 2.5)
    assert (row.image_source, row.image_sha256) == (image.source, image.sha256)
    assert (row.text, row.annotator_name) == ("circle", "alice")
    assert row.answered_at == given.created_at
    assert (row.image.source, row.image.answers) == (image.source, 2)


def test_annotators_figures_follow_at_the_next_recomputation(shapes, alice, bob):
    image, other = shapes.images.order_by("pk")[:2]
    answer(alice, {about(image)[0]: True, about(other)[0]: True})
    answer(bob, {about(image)[0]: True})
    remove(image)
    assert shapes.recomputation.requested
    recompute.run(project=shapes)
    alice.refresh_from_db()
    bob.refresh_from_db()
    assert (alice.answers_count, bob.answers_count, bob.gold_count) == (1, 0, 0)


def test_the_answers_of_a_caption_name_its_text(shapes, alice):
    image = first(shapes)
    question = Question.objects.get(kind="caption", tile__image=image)
    answer(alice, {question.pk: True})
    remove(image)
    assert RemovedAnswer.objects.get().text == question.text


def test_it_removes_nothing_without_a_reason(shapes):
    for reason, message in ((" ", "Say why"), ("x" * 301, "300 at most")):
        with pytest.raises(removal.RemovalError, match=message):
            remove(first(shapes), reason=reason)
    assert not RemovedImage.objects.exists()


def test_what_is_removed_already_is_passed_over(shapes):
    image = first(shapes)
    remove(image)
    assert remove(image) == removal.Removal()
    assert RemovedImage.objects.count() == 1


def test_its_file_goes_where_no_other_project_has_it(shapes, garden):
    data = png(7)
    shared, _ = images.add(project=shapes, data=data, source="a.png")
    twin, _ = images.add(project=garden, data=data, source="b.png")
    name, rendered = shared.file.name, tiles._cache_path(shared.tiles.get(), 32, "WEBP")
    tiles.as_webp(shared.tiles.get(), longest=32)
    assert twin.file.name == name and rendered.exists()
    remove(shared)
    assert default_storage.exists(name) and rendered.exists()
    remove(twin)
    assert not default_storage.exists(name) and not rendered.exists()
    assert not RemovedImage.objects.exclude(file="").exists()


def test_a_file_that_cannot_be_deleted_is_tried_again(shapes, monkeypatch):
    image, _ = images.add(project=shapes, data=png(7), source="a.png")

    def fail(name: str) -> None:
        raise PermissionError("not now")

    with monkeypatch.context() as patch:
        patch.setattr("labeling.images.files.delete", fail)
        remove(image)
    assert default_storage.exists(image.file.name)
    assert removal.delete_files() == 1
    assert not default_storage.exists(image.file.name)


def test_a_removed_picture_can_be_imported_again(shapes):
    image, _ = images.add(project=shapes, data=png(7), source="a.png")
    remove(image)
    again, new = images.add(project=shapes, data=png(7), source="a.png")
    assert new and again.pk != image.pk and default_storage.exists(again.file.name)


def near_duplicates(project: Project, *qualities: int) -> list[Image]:
    picture = patchwork(1, (300, 200))
    data = [encoded(picture, "JPEG", quality=quality) for quality in qualities]
    return [
        images.add(project=project, data=each, source=f"{n}.jpg")[0] for n, each in enumerate(data)
    ]


def test_near_duplicates_get_another_original(garden):
    one, two, three = near_duplicates(garden, 95, 80, 70)
    remove(one)
    two.refresh_from_db()
    three.refresh_from_db()
    assert (two.near_duplicate_of, three.near_duplicate_of) == (None, two)


def test_an_import_that_goes_on_finds_no_original_that_was_removed(garden):
    index = duplicates.DuplicateIndex(garden)
    prepare = images.preparer()

    def store(quality: int) -> Image:
        picture = prepare(encoded(patchwork(1, (300, 200)), "JPEG", quality=quality))
        new = images.NewImage(picture=picture, source=f"{quality}.jpg")
        (stored,) = images.add_many(project=garden, new_images=[new], duplicate_index=index)
        return stored.image

    original = store(95)
    assert store(80).near_duplicate_of == original
    remove(original)
    assert store(70).near_duplicate_of.source == "80.jpg"


def test_a_pending_challenge_that_shows_it_expires_and_another_comes(shapes, alice):
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")
    image = Image.objects.get(tiles=challenge.tiles[0])
    remove(image)
    with pytest.raises(challenges.Expired, match="ask for a new one"):
        challenges.find(challenges.token(challenge), alice)
    another = challenges.issue(annotator=alice, project=shapes, kind="grid")
    assert not set(another.tiles) & set(challenge.tiles[:1])


def test_a_picture_that_is_to_be_described_is_gone_with_its_challenge(shapes, alice):
    challenge = challenges.issue(annotator=alice, project=shapes, kind="write")
    remove(Image.objects.get(tiles=challenge.tiles[0]))
    assert not Challenge.objects.filter(pk=challenge.pk).exists()
    with pytest.raises(challenges.Expired):
        challenges.answer(challenge=challenge, text="a red circle in a field")


def test_an_answer_that_comes_too_late_counts_for_what_is_left(shapes, alice):
    challenge = challenges.issue(annotator=alice, project=shapes, kind="grid")
    removal.remove([Image.objects.get(tiles=challenge.tiles[0])], by=None, reason="private")
    outcome = challenges.answer(challenge=challenge, selected=[1, 2])
    assert outcome.recorded == 8


def test_pools_are_filled_without_it(shapes):
    image = first(shapes)
    remove(image)
    Question.objects.filter(kind="concept").delete()
    shapes.concepts.first().pools.update(frontier=0.0, filled_at=None, random=0)
    pools.fill_project(shapes)
    assert not Question.objects.filter(tile__image=image.pk).exists()


@pytest.fixture
def frozen(garden):
    add_many(garden, range(1, 5))
    return snapshots.freeze(project=garden)


def test_snapshots_that_held_it_are_marked_and_later_ones_are_not(garden, frozen):
    remove(*garden.images.order_by("pk")[:2])
    frozen.refresh_from_db()
    assert frozen.removed == 2
    assert frozen.warning == "It holds 2 pictures that were removed since."
    later = snapshots.freeze(project=garden)
    new, _ = images.add(project=garden, data=png(9), source="new.png")
    remove(new)
    later.refresh_from_db()
    frozen.refresh_from_db()
    assert (later.removed, later.warning, frozen.removed) == (0, "", 2)


def test_a_picture_that_is_removed_while_a_snapshot_is_written_is_not_in_it(
    garden, settings, monkeypatch
):
    for number in range(1, 5):
        add(garden, number)
    content, todo = snapshots._picture, [first(garden)]

    def copy(row):
        if todo:
            remove(todo.pop())
        return content(row)

    monkeypatch.setattr(snapshots, "_picture", copy)
    snapshot = snapshots.freeze(project=garden)
    assert (snapshot.state, snapshot.removed) == (Snapshot.State.READY, 0)
    assert snapshot.counts["images"] == 3
    assert len(list(local_folder(snapshot).rglob("*.webp"))) == 3


def test_a_snapshot_is_written_while_picture_after_picture_is_removed(garden, monkeypatch):
    for number in range(1, 9):
        add(garden, number)
    place = snapshots._place_pictures

    def remove_and_place(*arguments) -> None:
        remove(first(garden))
        place(*arguments)

    monkeypatch.setattr(snapshots, "_place_pictures", remove_and_place)
    snapshot = snapshots.freeze(project=garden)
    assert (snapshot.state, snapshot.error) == (Snapshot.State.READY, "")
    assert (snapshot.counts["images"], snapshot.removed) == (6, 1)
    removed = RemovedImage.objects.order_by("pk")
    assert all(default_storage.exists(row.file) for row in removed)
    names = [row.file for row in removed]
    assert removal.delete_files() == snapshots.ATTEMPTS
    assert not any(map(default_storage.exists, names))


def test_a_picture_that_is_removed_before_it_is_published_marks_the_snapshot(garden, monkeypatch):
    for number in range(1, 5):
        add(garden, number)
    publish = snapshots._publish

    def late(*arguments, **options) -> None:
        remove(first(garden))
        publish(*arguments, **options)

    monkeypatch.setattr(snapshots, "_publish", late)
    assert snapshots.freeze(project=garden).removed == 1


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_is_being_recorded_is_archived_as_well(shapes, alice, monkeypatch):
    image = first(shapes)
    question = about(image)[0]
    archive = removal._archive

    def late(*arguments):
        with pytest.raises(Exception, match="lock timeout"):
            meanwhile(lambda: answer(alice, {question: True}))
        return archive(*arguments)

    answer(alice, {about(image)[1]: True})
    monkeypatch.setattr(removal, "_archive", late)
    assert removal.remove([image], by=None, reason="private").answers == 1
    answer(alice, {question: True})
    assert Answer.objects.count() == 0 and RemovedAnswer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_caption_that_is_being_written_and_its_removal_wait_in_no_circle(
    garden, alice, monkeypatch
):
    add(garden, 1)
    lock_tiles, hold_tiles = removal._locked_tiles, questions._hold_tiles
    claimed, locked = threading.Event(), threading.Event()

    def write() -> int:
        challenge = challenges.issue(annotator=alice, project=garden, kind="write")
        try:
            return challenges.answer(challenge=challenge, text="a green stripe").recorded
        finally:
            connection.close()

    def hold(*arguments):
        claimed.set()
        assert locked.wait(30)
        return hold_tiles(*arguments)

    def lock(*arguments):
        if not claimed.is_set():
            written.append(pool.submit(write))
            assert claimed.wait(30)
        tiles = lock_tiles(*arguments)
        locked.set()
        return tiles

    monkeypatch.setattr(questions, "_hold_tiles", hold)
    monkeypatch.setattr(removal, "_locked_tiles", lock)
    written: list[Future[int]] = []
    with ThreadPoolExecutor(1) as pool:
        removed = removal.remove([first(garden)], by=None, reason="private")
    assert written[0].result() == 1
    assert removed.images == 1
    assert not Challenge.objects.exists() and not Question.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_removed_where_the_answers_do_not_add_up(shapes, alice, monkeypatch):
    image = first(shapes)
    answer(alice, {about(image)[0]: True})
    monkeypatch.setattr(removal, "_ARCHIVE", removal._ARCHIVE + " AND false")
    with pytest.raises(removal.AnswersDiffer):
        removal.remove([image], by=None, reason="private")
    assert Image.objects.filter(pk=image.pk).exists() and Answer.objects.count() == 1


def test_a_decision_about_a_removed_picture_is_gone_without_a_fault(shapes, ada):
    image = first(shapes)
    question = Question.objects.get(pk=about(image)[0])
    review.decide(question=question, value=True, by=ada)
    remove(image)
    recompute.run(project=shapes)
    assert not Question.objects.filter(pk=question.pk).exists()

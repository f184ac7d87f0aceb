"""An import that is taken back marks the snapshots that held what it said, and says so."""

import io
import json

import pytest
from django.core.management import call_command

from labeling import reissues, snapshots
from labeling.imports import undo
from labeling.models import Import, Project, Snapshot
from tests.labeling.imports.sources import fill, take
from tests.pictures import png

pytestmark = pytest.mark.django_db
BOX = {"bbox": [1, 1, 9, 9], "category_id": 1}


def frozen() -> Snapshot:
    return snapshots.freeze(project=Project.objects.get())


def restated(*rows: Snapshot) -> list[int]:
    return list(
        Snapshot.objects.filter(pk__in=[row.pk for row in rows])
        .order_by("pk")
        .values_list("restated", flat=True)
    )


@pytest.fixture
def owls(tmp_path):
    """Two pictures of owls, imported and frozen before anything else is said of them."""
    files = {f"{number}.png": png(number) for number in range(2)}
    fill(tmp_path / "owls", **files, **{"0.txt": "An owl that sleeps in a tree."})
    take(tmp_path / "owls", concepts="owl")
    return tmp_path, files, frozen()


def test_texts_that_are_taken_back_mark_those_that_held_them(owls):
    tmp_path, files, before = owls
    fill(tmp_path / "more", **files, **{"0.txt": "An owl that looks at the moon."})
    take(tmp_path / "more")
    held = frozen()
    said = io.StringIO()
    call_command("undo_import", str(Import.objects.latest("pk").pk), stdout=said)
    assert restated(before, held) == [0, 1], "and the other picture says what it said"
    held.refresh_from_db()
    assert held.warning == "It holds what imports said of 1 picture, which was taken back since."
    assert (
        f"Snapshot {held.pk} holds something that was removed since; no model learned from it. "
        "To issue again: tessera reissue --project photos\n"
    ) in said.getvalue()
    (successor,) = map(snapshots.fill, reissues.reissue_all(held.project))
    assert successor.sha256 == before.sha256 and not reissues.marked(held.project)


def test_boxes_and_gold_of_a_source_mark_them_too(owls):
    tmp_path, files, before = owls
    listed = [{"id": n, "file_name": f"{n}.png", "width": 16, "height": 16} for n in range(2)]
    document = {"images": listed, "categories": [{"id": 1, "name": "owl"}]}
    boxed = {**document, "annotations": [{"id": 1, "image_id": 1, **BOX}]}
    fill(tmp_path / "boxes", **files, **{"instances.json": json.dumps(boxed)})
    rows = json.dumps({"file_name": "0.png", "gold": {"owl": True}})
    fill(tmp_path / "gold", **files, **{"metadata.jsonl": rows})
    for name in ("boxes", "gold"):
        take(tmp_path / name)
        held = frozen()
        undo.undo(Import.objects.latest("pk"), None)
        assert restated(before, held) == [0, 1], name


def test_a_gold_list_that_is_taken_back_marks_them(owls):
    tmp_path, _, before = owls
    path = tmp_path / "gold.csv"
    path.write_text("task,concept,truth\n0.png,owl,yes\n1.png,owl,yes\n")
    call_command("gold", str(path), project="photos")
    held = frozen()
    undo.undo(Import.objects.latest("pk"), None)
    assert restated(before, held) == [0, 2]

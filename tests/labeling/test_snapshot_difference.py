"""What differs between two snapshots: all of it, once, in totals that add up."""

import json

import pytest

from labeling import questions, removal, snapshot_difference, snapshots
from labeling.images import tiles
from labeling.models import Concept, Question
from labeling.snapshot_difference import CountsDiffer, Filters, UnknownPosition
from labeling.snapshots import local_folder
from tests.labeling.garden import add, add_many, caption

pytestmark = pytest.mark.django_db


@pytest.fixture
def cat(garden) -> Concept:
    """Four pictures, of which people know whether they show a cat."""
    cat = Concept.objects.create(project=garden, name="cat", phrase="a cat", prevalence=0.1)
    pictures = [tiles.whole(image) for image in add_many(garden, range(1, 5))]
    questions.ask_concepts(tiles=pictures, concepts=[cat])
    Question.objects.update(probability=0.03, answers_count=2)
    return cat


def believe(source: str, **fields) -> None:
    Question.objects.filter(tile__image__source=source, kind="concept").update(**fields)


def compare(first, second) -> tuple[dict, dict[str, dict]]:
    """Return the totals, and the changes by their pictures' sources."""
    found = snapshot_difference.compare(first, second)
    return found.totals, {change["source"]: change for change in found.page().changes}


def test_labels_captions_and_pictures_that_changed_are_listed_and_add_up(garden, cat):
    first = snapshots.freeze(project=garden)
    believe("1.png", probability=0.98)
    believe("2.png", probability=0.02)
    caption(garden.images.get(source="3.png"), "a stripe", 0.9)
    removal.remove([garden.images.get(source="4.png")], by=None, reason="Somebody asked.")
    add(garden, 5)
    totals, changes = compare(first, snapshots.freeze(project=garden))

    assert {source: change["kind"] for source, change in changes.items()} == {
        "1.png": "changed",
        "3.png": "changed",
        "4.png": "removed",
        "5.png": "added",
    }
    assert changes["1.png"]["labels"] == [
        {"concept": "cat", "from": "no", "from_confidence": 0.97, "to": "yes"}
        | {"to_confidence": 0.98}
    ]
    assert changes["3.png"]["captions"]["added"][0]["text"] == "a stripe"
    expected = {"from": 4, "to": 4, "added": 1, "removed": 1, "changed": 2}
    assert totals["pictures"] == expected | {"confidence": 1, "same": 0}
    assert totals["captions"] == {"added": 1, "removed": 0}
    flips = [each for each in totals["labels"] if "absent" not in (each["from"], each["to"])]
    assert [(each["from"], each["to"], each["pictures"]) for each in flips] == [("no", "yes", 1)]
    came = sum(split["came"] - split["went"] for split in totals["splits"].values())
    assert came == 0


def test_what_was_seen_in_a_part_alone_is_a_label_of_its_own(garden, cat):
    first = snapshots.freeze(project=garden)
    image = garden.images.get(source="1.png")
    questions.ask_concepts(tiles=tiles.cut(image, grid=4)[:1], concepts=[cat])
    Question.objects.filter(grid=4).update(probability=0.98, answers_count=2)
    _, changes = compare(first, snapshots.freeze(project=garden))
    (label,) = changes["1.png"]["labels"]
    assert (label["from"], label["to"]) == ("no", "in part")


def test_a_concept_that_is_new_is_no_change_of_every_picture(garden, cat):
    first = snapshots.freeze(project=garden)
    Concept.objects.create(project=garden, name="dog", phrase="a dog", prevalence=0.1)
    totals, changes = compare(first, snapshots.freeze(project=garden))
    assert totals["concepts"] == {"added": ["dog"], "removed": []}
    assert changes == {} and totals["pictures"]["confidence"] == 4


def test_nothing_differs_between_a_snapshot_and_itself(garden, cat):
    first = snapshots.freeze(project=garden)
    totals, changes = compare(first, first)
    assert changes == {} and totals["pictures"]["same"] == 4 and totals["labels"] == []


def test_placeholders_are_no_change(garden, cat):
    """The first row of a split shows types for all, as far as any other row has something."""
    first = snapshots.freeze(project=garden)
    last = garden.images.order_by("sha256").last()
    caption(last, "a stripe", 0.9)
    _, changes = compare(first, snapshots.freeze(project=garden))
    assert set(changes) == {last.source}


def test_its_pages_hold_every_change_once_whatever_their_size_and_filters(garden, cat):
    first = snapshots.freeze(project=garden)
    believe("1.png", probability=0.98)
    believe("3.png", probability=0.98)
    for number in range(5, 8):
        add(garden, number)
    found = snapshot_difference.compare(first, snapshots.freeze(project=garden))

    def walk(**filters) -> list[str]:
        sources, after = [], 0
        while after is not None:
            page = found.page(after=after, size=2, filters=Filters(**filters))
            sources += [change["source"] for change in page.changes]
            after = page.after
        return sources

    assert sorted(walk()) == ["1.png", "3.png", "5.png", "6.png", "7.png"]
    assert sorted(walk(kind="added")) == ["5.png", "6.png", "7.png"]
    assert sorted(walk(concept="cat", kind="changed")) == ["1.png", "3.png"]
    assert sorted(walk(split="train") + walk(split="test")) == sorted(walk())
    for position in (1, 10**9):
        with pytest.raises(UnknownPosition):
            found.page(after=position)


def test_a_difference_that_does_not_add_up_is_not_shown(garden, cat):
    first = snapshots.freeze(project=garden)
    believe("1.png", probability=0.98)
    second = snapshots.freeze(project=garden)
    manifest = json.loads((local_folder(second) / "manifest.json").read_text())
    for concepts in manifest["labels"].values():
        concepts["cat"]["yes"] = concepts["cat"].get("yes", 0) + 1
    (local_folder(second) / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CountsDiffer, match="cat"):
        snapshot_difference.compare(first, second)
    assert snapshot_difference.find(first, second) is None


def test_members_read_it_over_the_api(garden, cat, ada_client):
    first = snapshots.freeze(project=garden)
    believe("1.png", probability=0.98)
    second = snapshots.freeze(project=garden)
    address = f"/api/v1/snapshots/{first.pk}/difference/{second.pk}/"
    body = ada_client.get(address).json()
    assert body["next"] is None
    assert [change["source"] for change in body["results"]] == ["1.png"]
    assert ada_client.get(address, {"kind": "added"}).json()["results"] == []
    assert ada_client.get(address, {"after": 3}).status_code == 404
    assert ada_client.get(address, {"kind": "odd"}).status_code == 400


def test_large_ones_are_compared_by_a_worker(garden, cat, ada_client, monkeypatch):
    monkeypatch.setattr(snapshot_difference, "AT_ONCE", 3)
    first = snapshots.freeze(project=garden)
    believe("1.png", probability=0.98)
    second = snapshots.freeze(project=garden)
    address = f"/api/v1/snapshots/{first.pk}/difference/{second.pk}/"
    assert ada_client.get(address).status_code == 202
    snapshot_difference.compare(first, second)
    assert ada_client.get(address).status_code == 200

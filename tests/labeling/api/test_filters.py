"""Lists are filtered by what their pages are, and a parameter that nobody reads is refused."""

import re
from typing import Any

import pytest
from django.test import Client

from labeling import snapshot_rows
from labeling.models import Answer, Import, Question
from tests.cast import member
from tests.labeling.api.endpoints import API, READABLE

pytestmark = pytest.mark.django_db
WRONG = {"integer": "x", "boolean": "maybe", "number": "x", "string": None, "array": None}


@pytest.fixture
def owner(shapes, carol) -> Client:
    return member(shapes, carol, "owner")


def rows(client: Client, address: str, **query: object) -> list[Any]:
    response = client.get(f"{API}projects/shapes/{address}/", query)
    assert response.status_code == 200, response.content
    return response.json()["results"]


def found(client: Client, address: str, **query: object) -> set[int]:
    return {row["id"] for row in rows(client, address, **query)}


def wrong(schema: dict[str, Any]) -> str | None:
    """A value that a parameter's schema does not take; None: it takes any text."""
    if schema.get("format") == "date-time":
        return "tomorrow"
    kind = schema.get("type")
    return "nonsense" if "enum" in schema or "$ref" in schema else WRONG.get(str(kind))


def test_a_parameter_that_nobody_reads_is_refused_everywhere(ada_client, ids):
    for endpoint in READABLE:
        response = ada_client.get(API + endpoint.path.format(**ids), {"colour": "grey"})
        assert response.status_code == 400, endpoint
        problem = response.json()
        assert problem["code"] == "invalid" and problem["detail"].startswith("colour: "), endpoint


def test_what_a_parameter_does_not_take_is_refused_by_its_name(ada_client, ids, document):
    tried = 0
    for path, methods in document["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", []):
            value = wrong(parameter["schema"])
            if parameter["in"] != "query" or value is None or not path.startswith(API):
                continue
            words = dict(re.findall(r"([^/]+)/\{(\w+)\}", path))
            filled = {
                name: ids.get(name, ids.get(word.removesuffix("s"), 1))
                for word, name in words.items()
            }
            response = ada_client.get(path.format(**filled), {parameter["name"]: value})
            assert response.status_code == 400, (path, parameter["name"], response.content)
            assert response.json()["detail"].startswith(f"{parameter['name']}: "), path
            tried += 1
    assert tried > 60


def test_a_refusal_lists_what_may_be_chosen(owner):
    response = owner.get(f"{API}projects/shapes/questions/", {"state": "closed"})
    assert response.json()["detail"] == "state: “closed” is none of open, settled, ambiguous, gold."
    twice = owner.get(f"{API}projects/shapes/questions/?state=open&state=gold")
    assert twice.status_code == 400 and twice.json()["detail"] == "state: Send it once."


def test_questions_are_chosen_by_what_is_known_of_them(owner, shapes, disputed, alice):
    circle = {row["id"] for row in rows(owner, "questions", concept="circle", limit=200)}
    assert circle == set(
        shapes.questions.filter(concept__name="circle").values_list("pk", flat=True)
    )
    assert found(owner, "questions", answers_min=2) == {disputed.pk}
    image, tile = disputed.tile.image_id, disputed.tile_id
    assert found(owner, "questions", image=image) == found(owner, "questions", tile=tile)
    captions = rows(owner, "questions", words="circle red")
    assert captions and {row["text"] for row in captions} == {"a red circle"}
    Question.objects.filter(pk=disputed.pk).update(probability=0.93)
    likely = {"probability_min": 0.92, "probability_max": 0.94}
    assert disputed.pk in found(owner, "questions", **likely)
    known = found(owner, "questions", decided="yes", limit=200)
    assert known == found(owner, "questions", state="gold", limit=200)
    assert disputed.pk in found(owner, "questions", decided="no", limit=200)
    assert not found(owner, "questions", decided="mine")


def test_questions_are_listed_as_reviewers_see_them(owner, shapes, disputed):
    seen, address = [], f"{API}projects/shapes/questions/?order=disagreement&limit=9"
    while address:
        page = owner.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
    in_order = shapes.questions.order_by("-disagreement", "-pk").values_list("pk", flat=True)
    assert seen == list(in_order) and seen[0] == disputed.pk


@pytest.mark.parametrize("cursor", ["x", "nan_1", "0.5_x", "0.5_-1", "inf_9", "0.5_" + "9" * 90])
def test_a_page_that_there_is_not_is_refused(owner, cursor):
    for query in ({"order": "disagreement"}, {}):
        response = owner.get(f"{API}projects/shapes/questions/", {**query, "cursor": cursor})
        assert response.status_code == 400 and response.json()["detail"].startswith("cursor: ")


def test_pictures_are_chosen_by_what_is_said_of_them(owner, shapes, disputed):
    every = set(shapes.images.values_list("pk", flat=True))
    assert (
        found(owner, "images", with_text="true")
        == every
        == found(owner, "images", generated="false")
    )
    assert not found(owner, "images", with_text="false") | found(owner, "images", duplicate="true")
    gold = shapes.questions.filter(state="gold", concept__name="circle", probability=1)
    shown = found(owner, "images", concept="circle", state="gold", probability_min=0.5)
    assert shown == set(gold.values_list("tile__image", flat=True))
    image = shapes.images.first()
    record = Import.objects.create(project=shapes, name="box", license="CC0", vendor="Mole")
    shapes.images.filter(pk=image.pk).update(imported_by=record)
    for query in ({"license": "CC0"}, {"vendor": "Mole"}, {"imported_by": record.pk}):
        assert found(owner, "images", **query) == {image.pk}


def test_the_pages_of_a_vendor_lead_to_all_its_pictures_and_back(owner, shapes):
    imports = [
        Import.objects.create(project=shapes, name=name, state="done", vendor="Mole")
        for name in ("box", "crate")
    ]
    own = list(shapes.images.order_by("-pk").values_list("pk", flat=True)[1:6])
    for number, pk in enumerate(own):
        shapes.images.filter(pk=pk).update(imported_by=imports[number % 2])
    page = owner.get(f"{API}projects/shapes/images/", {"vendor": "Mole", "limit": 2}).json()
    pages = [[row["id"] for row in page["results"]]]
    while page["next"]:
        page = owner.get(page["next"]).json()
        pages.append([row["id"] for row in page["results"]])
    assert pages == [own[:2], own[2:4], own[4:]]
    before = owner.get(page["previous"]).json()
    assert [row["id"] for row in before["results"]] == own[2:4]


def test_pictures_are_chosen_by_the_split_of_snapshots(owner, shapes):
    images = list(shapes.images.select_related("near_duplicate_of"))
    first = images[0]
    shapes.images.filter(pk=first.pk).update(sha256="0ccccccc" + first.sha256[8:])
    edge = images[1]
    shapes.images.filter(pk=edge.pk).update(sha256="0ccccccd" + edge.sha256[8:])
    for split in ("train", "test"):
        expected = {
            each.pk for each in shapes.images.all() if snapshot_rows.split_of(each) == split
        }
        assert found(owner, "images", split=split, limit=200) == expected
    assert first.pk in found(owner, "images", split="test")
    assert edge.pk in found(owner, "images", split="train", limit=200)


def test_answers_are_listed_for_reviewers_by_who_said_what_and_when(
    owner, shapes, disputed, alice, bob
):
    (own,) = rows(owner, "answers", annotator=alice.pk)
    assert (own["question"], own["value"], own["annotator_name"]) == (disputed.pk, True, str(alice))
    assert own["concept"] == disputed.concept.name and own["image"] == disputed.tile.image_id
    both = found(owner, "answers")
    assert len(both) == 2 == len(found(owner, "answers", concept=disputed.concept.name))
    assert found(owner, "answers", value="true") == {own["id"]}
    Answer.objects.filter(pk=own["id"]).update(created_at="2026-01-01T00:00:00Z")
    assert found(owner, "answers", until="2026-01-02") == {own["id"]}
    assert found(owner, "answers", since="2026-01-02") == both - {own["id"]}


def test_annotators_are_chosen_by_name_and_by_whether_they_count(
    owner, shapes, disputed, alice, bob
):
    assert found(owner, "annotators", answers_min=1) >= {alice.pk, bob.pk}
    assert found(owner, "annotators", name=str(alice)[:4]) == {alice.pk}
    type(bob).objects.filter(pk=bob.pk).update(blocked=True)
    assert found(owner, "annotators", blocked="true") == {bob.pk}
    assert alice.pk in found(owner, "annotators", suspect="false")
    detail = owner.get(f"{API}projects/shapes/annotators/{alice.pk}/").json()
    assert detail["answers"] == 1 and detail["record"]["answers"] == 1


def test_pictures_are_removed_together_or_not_at_all(owner, shapes):
    first, second = shapes.images.values_list("pk", flat=True)[:2]
    address = f"{API}projects/shapes/images/remove/"
    body = {"images": [first, second, 10**9], "reason": "blurred"}
    refused = owner.post(address, body, content_type="application/json")
    assert refused.status_code == 400 and shapes.images.filter(pk__in=[first, second]).count() == 2
    body["images"].pop()
    removed = owner.post(address, body, content_type="application/json")
    assert removed.json()["images"] == 2 and not shapes.images.filter(pk__in=[first, second])

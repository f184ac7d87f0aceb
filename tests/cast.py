"""The cast of the tests: careful Alice, hasty Bob, Mallory the bot, Ada who reviews.

Carol only has an account, and Bea works here, but may do nothing until a test allows it.
They look at the project `shapes`, where every picture's truth is known to the tests.
Models are imported inside, since pytest reads this file before Django is set up.
"""

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.copying import ProjectCopier
from tests.pictures import draw

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

    from labeling.images import NewImage
    from labeling.models import Annotator, Project, Question

COLOURS = "red", "green", "blue", "orange", "purple", "brown"
SHAPES = "circle", "square"


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    """Clear the cache, so that nobody is throttled for what another test did."""
    from django.core.cache import cache

    cache.clear()
    yield


@pytest.fixture(autouse=True)
def english() -> None:
    """Speak English again, whatever the last test's visitor asked for."""
    from django.utils import translation

    translation.deactivate()


@pytest.fixture(autouse=True)
def chance(request: pytest.FixtureRequest) -> None:
    """Let a test draw the same each time, whichever others ran before it."""
    random.seed(request.node.nodeid)


@pytest.fixture(autouse=True)
def pace(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test's visitors see a picture at once, unless the test is about how fast they are."""
    if "real_pace" not in request.fixturenames:
        monkeypatch.setattr("labeling.pace.SHORTEST", timedelta(0))


@pytest.fixture
def real_pace() -> None:
    """Keep the time that a person needs to see a picture and press a key."""


@pytest.fixture
def known_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each grid have four known tiles; otherwise, chance decides."""
    monkeypatch.setattr("labeling.selection.known.count", lambda places, share: 4)


@pytest.fixture
def alice(db: None) -> "Annotator":
    """Return a careful annotator: fifty right answers to gold questions."""
    return _annotator("alice", true_positives=20, true_negatives=30, gold_right=50)


@pytest.fixture
def bob(db: None) -> "Annotator":
    """Return a hasty annotator, right three times in four."""
    return _annotator(
        "bob",
        true_positives=8,
        false_negatives=4,
        true_negatives=22,
        false_positives=6,
        gold_right=30,
    )


@pytest.fixture
def mallory(db: None) -> "Annotator":
    """Return a bot that nobody knows yet."""
    return _annotator("mallory")


@pytest.fixture
def ada(db: None) -> "User":
    """Return a superuser, who reviews and trains."""
    from django.contrib.auth.models import User

    return User.objects.create_superuser("ada", "ada@example.org", "correct horse")


@pytest.fixture
def bea(db: None) -> "User":
    """Return a member of the staff without any permission."""
    from django.contrib.auth.models import User

    return User.objects.create_user("bea", is_staff=True)


@pytest.fixture
def carol(db: None) -> "User":
    """Return a user who takes part under her own name and is not on the staff."""
    from django.contrib.auth.models import User

    return User.objects.create_user("carol")


@pytest.fixture
def olga(shapes: "Project") -> "User":
    """Return the owner of the shapes."""
    from django.contrib.auth.models import User

    olga = User.objects.create_user("olga")
    shapes.memberships.create(user=olga, role="owner")
    return olga


@pytest.fixture
def ada_client(ada: "User") -> "Client":
    from django.test import Client

    client = Client()
    client.force_login(ada)
    return client


@pytest.fixture(scope="session")
def drawn_shapes() -> "list[NewImage]":
    """Draw the pictures of the shapes, and prepare them to be stored."""
    from labeling import images

    prepare = images.preparer()
    return [
        images.NewImage(
            picture=prepare(draw(shape=shape, colour=colour, corner=corner)),
            source=f"{colour} {shape} {number:02}.png",
        )
        for number, (shape, colour, corner) in enumerate(product(SHAPES, COLOURS, (4, 16)))
    ]


@pytest.fixture(scope="session")
def copiers() -> dict[str, ProjectCopier]:
    """Return the projects that were made already, by their addresses."""
    return {}


@pytest.fixture
def shapes(
    db: None,
    drawn_shapes: "list[NewImage]",
    copiers: dict[str, ProjectCopier],
    request: pytest.FixtureRequest,
) -> "Project":
    """Make twelve circles and twelve squares, a quarter of them gold, each with a caption.

    Where the test's transaction is never committed, all but the first are copied. Where it is, what
    a commit sets off is part of it, unless the test is about pages and no worker heeds that.
    """
    from django.db import connection

    is_for_pages = "page" in request.fixturenames and "start_worker" not in request.fixturenames
    if not (connection.in_atomic_block or is_for_pages):
        return _make_shapes(drawn_shapes)
    if "shapes" in copiers:
        return copiers["shapes"].copy()
    project = _make_shapes(drawn_shapes)
    copiers["shapes"] = ProjectCopier(project, [image.picture for image in drawn_shapes])
    return project


def _make_shapes(new_images: "list[NewImage]") -> "Project":
    """Make the shapes, with the same draws wherever they are made first."""
    state = random.getstate()
    random.seed("shapes")
    try:
        return _make(new_images)
    finally:
        random.setstate(state)


def _make(new_images: "list[NewImage]") -> "Project":
    from labeling import images, pools, questions
    from labeling.images import duplicates
    from labeling.models import Concept, Project, Question

    project = Project.objects.create(
        state="open",
        slug="shapes",
        name="Shapes",
        attribution="Drawn by Ada.",
        practice_questions=0,
    )
    concepts = [
        Concept.objects.create(project=project, name=name, phrase=f"a {name}", prevalence=0.5)
        for name in SHAPES
    ]
    stored_images = images.add_many(
        project=project,
        new_images=new_images,
        duplicate_index=duplicates.DuplicateIndex(project),
    )
    wholes = [image.tile for image in stored_images]
    gold = {
        (tile.pk, concept.pk): concept.name in tile.image.source
        for tile, concept in product(wholes[::4], concepts)
    }
    questions.ask_concepts(tiles=wholes, concepts=concepts, gold=gold)
    pools.fill_project(project)
    questions.ask_captions(
        captions=[(tile, f"a {tile.image.source[:-7]}") for tile in wholes],
        source=Question.Source.IMPORT,
        prior=0.9,
    )
    return project


@pytest.fixture
def described(shapes: "Project") -> "Project":
    """Let people be sure of each shape's caption, and ask of each about the same in other words."""
    from django.utils import timezone

    from labeling import questions

    own = list(shapes.questions.filter(kind="caption").select_related("tile__image"))
    shapes.questions.filter(kind="caption").update(
        state="settled", verdict=True, probability=1, settled_at=timezone.now()
    )
    questions.ask_captions(
        captions=[(each.tile, in_other_words(each.text)) for each in own],
        source="import",
        prior=0.9,
    )
    return shapes


@pytest.fixture
def scenes(shapes: "Project") -> SimpleNamespace:
    """Cut two pictures of the project into 4 × 4 tiles; a circle fills the left half of each."""
    from labeling import images, pools, questions
    from labeling.images import tiles
    from labeling.models import Concept

    concept = Concept.objects.get(project=shapes, name="circle")
    scene_tiles = []
    for colour in ("red", "blue"):
        data = draw(shape="circle", colour=colour, corner=0, side=128)
        image, _ = images.add(project=shapes, data=data, source=f"scene {colour}.png")
        scene_tiles += tiles.cut(image)
    gold = {
        (tile.pk, concept.pk): tile.position % 4 < 2 for tile in scene_tiles if tile.position < 4
    }
    questions.ask_concepts(tiles=scene_tiles, concepts=[concept], gold=gold)
    pools.fill_project(shapes)
    return SimpleNamespace(project=shapes, concept=concept, tiles=scene_tiles)


@pytest.fixture
def disputed(shapes: "Project", alice: "Annotator", bob: "Annotator") -> "Question":
    """Return a question to which Alice says yes, and Bob no."""
    question = shapes.questions.filter(state="open", kind="concept")[3]
    answer(alice, {question.pk: True}, reason="wanted", seconds=2.5)
    answer(bob, {question.pk: False}, reason="wanted", seconds=2.5)
    question.refresh_from_db()
    return question


def in_other_words(caption: str) -> str:
    """Say "a red circle" as "one disc in red"."""
    _article, colour, shape = caption.split()
    return f"one {'disc' if shape == 'circle' else 'box'} in {colour}"


def member(project: "Project", user: "User", role: str) -> "Client":
    """Make somebody a member of a project; return their browser."""
    from django.test import Client

    project.memberships.create(user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


def allow(user: "User", *codenames: str) -> None:
    """Grant permissions by their code names."""
    from django.contrib.auth.models import Permission

    permissions = Permission.objects.filter(codename__in=codenames)
    assert {permission.codename for permission in permissions} == set(codenames)
    user.user_permissions.add(*permissions)


def answer(
    annotator: "Annotator", values: dict[int, bool], reason: str = "wanted", **fields: Any
) -> None:
    """Record answers by the primary keys of their questions."""
    from labeling import answers

    reasons = dict.fromkeys(values, reason)
    answers.record(annotator=annotator, values=values, reasons=reasons, **fields)


def distrust(annotator: "Annotator", *, start: int = 1) -> None:
    """Make an annotator suspect: their answers from the id `start` on weigh nothing."""
    from django.utils import timezone

    from labeling.aggregation import drift

    annotator.start_suspect_spell(start=start, now=timezone.now())
    annotator.drift_score = drift.THRESHOLD
    annotator.save()


def truth(question: int) -> bool:
    """Return the true answer to a question about the shapes, given its primary key."""
    from labeling.models import Question

    row = Question.objects.select_related("concept", "tile__image").get(pk=question)
    if row.verdict is not None:
        return row.verdict
    return (row.concept.name if row.concept else row.text[2:]) in row.tile.image.source


def _annotator(name: str, *, gold_right: int = 0, **counts: float) -> "Annotator":
    from labeling.aggregation import online
    from labeling.models import Annotator

    annotator = Annotator(pseudonym=name, gold_count=sum(counts.values()), gold_right=gold_right)
    for field, count in counts.items():
        setattr(annotator, field, count)
    annotator.reliability = online.reliability(
        online.ConfusionCounts(
            annotator.true_positives,
            annotator.false_negatives,
            annotator.true_negatives,
            annotator.false_positives,
        )
    )[0]
    annotator.save()
    return annotator

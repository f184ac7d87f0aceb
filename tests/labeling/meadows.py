"""Projects made up at random, each with some pairs stored, answered and decided, the rest not."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.core.files.storage import default_storage
from hypothesis import strategies as st
from safetensors.numpy import save_file

from labeling import answers, features, predictions, questions
from labeling.concepts import edit
from labeling.images import tiles
from labeling.models import Annotator, ClassSet, Concept, Image, Project, Question
from tests.labeling import garden

NAMES = "cat", "dog", "fish"
CLASSES = "cat", "dog"
KEYWORDS = "cat", "Kitty", "dog", "red"
GRID = 2

Pair = tuple[int, int, str]  # (image's number, 0: the whole, else a part from 1, concept)


@dataclass(frozen=True)
class Picture:
    keywords: tuple[str, ...]
    folder: str | None  # its class
    cut: bool
    generated: bool

    @property
    def parts(self) -> int:
        return GRID**2 if self.cut else 0


@dataclass(frozen=True)
class Meadow:
    """What a project holds, but for the pairs that are stored for no reason of the test's."""

    pictures: list[Picture]
    prevalence: dict[str, float]
    later_prevalence: dict[str, float]  # what is learned after the answers
    later_aliases: dict[str, str]  # by concept, given after the answers
    predicted: dict[str, list[float | None]]  # log-odds of each concept, by tile in order
    answered: dict[Pair, list[bool]]
    decided: dict[Pair, bool]

    @property
    def pairs(self) -> list[Pair]:
        return [
            (number, part, name)
            for number, picture in enumerate(self.pictures)
            for part in range(1 + picture.parts)
            for name in NAMES
        ]


_probability = st.floats(0.02, 0.9).map(lambda p: round(p, 3))
_pictures = st.builds(
    Picture,
    keywords=st.lists(st.sampled_from(KEYWORDS), max_size=2, unique=True).map(tuple),
    folder=st.sampled_from([None, *CLASSES]),
    cut=st.booleans(),
    generated=st.integers(0, 4).map(lambda n: n == 0),
)


@st.composite
def meadows(draw: st.DrawFn) -> Meadow:
    """Make up a meadow."""
    pictures = draw(st.lists(_pictures, min_size=1, max_size=3))
    bare = Meadow(pictures, {}, {}, {}, {}, {}, {})
    pair = st.sampled_from(bare.pairs)
    tile_count = sum(1 + picture.parts for picture in pictures)
    log_odds = st.none() | st.floats(-6, 6, width=16)
    return Meadow(
        pictures=pictures,
        prevalence={name: draw(_probability) for name in NAMES},
        later_prevalence=draw(st.dictionaries(st.sampled_from(NAMES), _probability, max_size=2)),
        later_aliases=draw(st.dictionaries(st.sampled_from(NAMES), st.just("red"), max_size=1)),
        predicted={
            name: draw(st.lists(log_odds, min_size=tile_count, max_size=tile_count))
            for name in draw(st.sets(st.sampled_from(NAMES)))
        },
        answered=draw(st.dictionaries(pair, st.lists(st.booleans(), min_size=1, max_size=3))),
        decided=draw(st.dictionaries(pair, st.booleans(), max_size=2)),
    )


def plant(meadow: Meadow, *, before: set[Pair], after: set[Pair]) -> Project:
    """Make the project; store some more pairs before anybody answers, and some more afterwards."""
    project = Project.objects.create(state="open", slug="meadow", name="Meadow")
    concepts = {name: _concept(project, name, meadow.prevalence[name]) for name in NAMES}
    tile_ids = _tiles(project, concepts, meadow)
    _predict(project, concepts, sorted(tile_ids.values()), meadow.predicted)

    def ids(pairs: set[Pair]) -> list[tuple[int, int]]:
        return [(tile_ids[number, part], concepts[name].pk) for number, part, name in pairs]

    reasons = Question.Reason
    questions.ask_pairs(project=project, pairs=ids(before), reason=reasons.RANDOM)
    known = {*meadow.answered, *meadow.decided}
    questions.ask_pairs(project=project, pairs=ids(known), reason=reasons.ANSWERED)
    for pair, values in sorted(meadow.answered.items()):
        ((tile, concept),) = ids({pair})
        _answer(Question.objects.get(tile=tile, concept=concept), values)
    for pair, verdict in meadow.decided.items():
        ((tile, concept),) = ids({pair})
        Question.objects.filter(tile=tile, concept=concept).update(
            verdict=verdict, probability=float(verdict), state=Question.State.SETTLED
        )
    for name, prevalence in meadow.later_prevalence.items():
        Concept.objects.filter(pk=concepts[name].pk).update(
            prevalence=prevalence, priors_stale=True
        )
    for name, alias in meadow.later_aliases.items():
        concept = Concept.objects.get(pk=concepts[name].pk)
        edit(concept=concept, aliases=[*concept.aliases, alias])
    questions.ask_pairs(project=project, pairs=ids(after), reason=reasons.DOUBTFUL)
    return project


def _concept(project: Project, name: str, prevalence: float) -> Concept:
    aliases = ["kitty"] if name == "cat" else []
    return Concept.objects.create(
        project=project, name=name, phrase=f"a {name}", aliases=aliases, prevalence=prevalence
    )


def _tiles(
    project: Project, concepts: dict[str, Concept], meadow: Meadow
) -> dict[tuple[int, int], int]:
    """Store the pictures as an import does; return their tiles by number and part."""
    ids = sorted(concepts[name].pk for name in CLASSES)
    class_set = ClassSet.objects.create(project=project, concepts=ids)
    tile_ids = {}
    for number, picture in enumerate(meadow.pictures):
        image = garden.add(
            project,
            number + 1,
            source=f"{number}.png",
            keywords=picture.keywords,
            generated=picture.generated,
        )
        whole = tiles.whole(image)
        tile_ids[number, 0] = whole.pk
        if picture.folder and not picture.generated:
            Image.objects.filter(pk=image.pk).update(
                class_set=class_set, stated_keys=[*image.stated_keys, picture.folder]
            )
            pair = whole.pk, concepts[picture.folder].pk
            questions.ask_pairs(project=project, pairs=[pair], stated={pair: 0.9})
        if picture.cut:
            for part in tiles.cut(image, grid=GRID):
                tile_ids[number, 1 + part.position] = part.pk
    return tile_ids


def _predict(
    project: Project,
    concepts: dict[str, Concept],
    tile_ids: list[int],
    predicted: dict[str, list[float | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "features.safetensors")
        save_file(
            {
                "tiles": np.array(tile_ids),
                "images": np.ones((len(tile_ids), 2), np.float16),
                "concepts": np.zeros(0, np.int64),
                "texts": np.zeros((0, 2), np.float16),
                "learned": np.zeros(0, np.int64),
            },
            path,
        )
        project.features.name = features.save(path, project=project)
        project.save(update_fields=["features"])
    for name, log_odds in predicted.items():
        array = np.array([np.nan if each is None else each for each in log_odds], np.float16)
        pk, seen = concepts[name].pk, str(project.features.name)
        file = predictions.save(array, concept=pk, features=seen)
        Concept.objects.filter(pk=concepts[name].pk).update(predictions=file, priors_stale=True)


def _answer(question: Question, values: list[bool]) -> None:
    for number, value in enumerate(values):
        annotator, _ = Annotator.objects.get_or_create(pseudonym=f"annotator {number}")
        answers.record(
            annotator=annotator, values={question.pk: value}, reasons={question.pk: "wanted"}
        )


def forget(project: Project) -> None:
    """Remove the files of a project that was rolled back."""
    for concept in project.concepts.all():
        predictions.delete(str(concept.predictions.name or ""))
    default_storage.delete(str(project.features.name))

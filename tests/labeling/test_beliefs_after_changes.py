"""Whatever is done to a project, its stored questions are believed as pairs that are not stored."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.contrib.auth.models import User

from labeling import concepts, merging, pools, questions, review, tasks
from labeling.concepts import ConceptError
from labeling.inference import priors, recompute
from labeling.models import Annotator, ClassSet, Concept, NewPictures, Project, Question, Tile
from tests.cast import answer
from tests.labeling.field import disbelieved, pictures, see

pytestmark = pytest.mark.django_db
WORDS = "cat", "Kitty", "dog", "hound", "fish", "trout"
STEPS = 25


class Life:
    """A project to which something happens, step by step, by chance."""

    def __init__(self, project: Project, folder: Path, by: User, seed: int) -> None:
        self.project, self.folder, self.by = project, folder, by
        self.dice = random.Random(seed)
        self.steps: list[str] = []
        for name in ("cat", "dog", "fish"):
            concepts.create(project=project, name=name)
        self.add_images()

    def step(self) -> None:
        """Do something, and all that follows from it."""
        changes: list[Callable[[], object]] = [
            self.add_images,
            self.learn_prevalence,
            self.weigh_model,
            self.predict,
            self.add_alias,
            self.rename,
            self.merge,
            self.switch,
            self.reopen,
            self.decide,
            self.answer,
            self.add_concept,
            self.renew,
            self.recompute,
        ]
        change = self.dice.choice(changes)
        self.steps.append(change.__name__)
        change()
        tasks.finish_concepts()
        pools.fill_project(self.project)
        priors.update_stale(self.project)

    def concept(self) -> Concept:
        return self.dice.choice(list(self.project.concepts.filter(merged_into=None)))

    def question(self) -> Question:
        tile = Tile.objects.filter(image__project=self.project).latest("pk")
        questions.ask_concepts(tiles=[tile], concepts=[self.concept()])
        return self.dice.choice(list(Question.objects.filter(concept__merged_into=None)))

    def add_images(self) -> None:
        """Store pictures with keywords, and of several classes, as an import does."""
        ids = sorted(self.project.concepts.filter(merged_into=None).values_list("pk", flat=True))
        classes = None
        if len(ids) > 1 and self.dice.random() < 0.5:
            ids = sorted(self.dice.sample(ids, 2))
            classes, _ = ClassSet.objects.get_or_create(project=self.project, concepts=ids)
        words = [word for word in WORDS if self.dice.random() < 0.2]
        tiles = pictures(
            self.project,
            6,
            class_set=classes,
            keywords=words,
            stated_keys=[word.casefold() for word in words],
        )
        keys = [tile.image.random_key for tile in tiles]
        NewPictures.objects.create(project=self.project, grid=1, random_keys=keys)
        by_key = concepts.by_key(self.project)
        named = {by_key[word.casefold()].pk for word in words if word.casefold() in by_key}
        stated = {(tile.pk, concept): 0.9 for tile in tiles for concept in named}
        questions.ask_pairs(project=self.project, pairs=stated, stated=stated)

    def learn_prevalence(self) -> None:
        pk, prevalence = self.concept().pk, self.dice.choice([0.0, 0.01, 0.3, 0.97, 1.0])
        Concept.objects.filter(pk=pk).update(prevalence=prevalence, priors_stale=True)

    def weigh_model(self) -> None:
        pk, weight = self.concept().pk, self.dice.choice([0.0, 0.01, 0.5, 1.0])
        Concept.objects.filter(pk=pk).update(model_weight=weight, priors_stale=True)

    def predict(self) -> None:
        count = Tile.objects.filter(image__project=self.project).count()
        draw = np.random.default_rng(self.dice.randrange(1000))
        log_odds = {}
        for name in self.project.concepts.filter(merged_into=None).values_list("name", flat=True):
            values = draw.normal(0, 4, count)
            values[draw.random(count) < 0.2] = np.nan
            values[draw.random(count) < 0.1] = 60_000
            log_odds[name] = values.astype(np.float16)
        see(self.project, self.folder / "seen", log_odds=log_odds)

    def add_alias(self) -> None:
        concept = self.concept()
        self.edit(concept, aliases=[*concept.aliases, self.dice.choice(WORDS)])

    def rename(self) -> None:
        self.edit(self.concept(), name=self.dice.choice([*WORDS, f"name {len(self.steps)}"]))

    def edit(self, concept: Concept, **changes: object) -> None:
        try:
            concepts.edit(concept=concept, **changes)
        except ConceptError:
            self.steps.append("refused")

    def merge(self) -> None:
        concept, into = self.concept(), self.concept()
        if concept != into:
            merging.merge(concept=concept, into=into, by=self.by)

    def switch(self) -> None:
        concept = self.concept()
        self.edit(concept, active=not concept.active)

    def reopen(self) -> None:
        review.reopen(question=self.question(), by=self.by)

    def decide(self) -> None:
        tile = self.dice.choice(list(Tile.objects.filter(image__project=self.project)))
        tile = Tile.objects.select_related("image").get(pk=tile.pk)
        value = self.dice.random() < 0.5
        review.decide_pair(tile=tile, concept=self.concept(), value=value, by=self.by)

    def answer(self) -> None:
        name = self.dice.choice(["alice", "bob", "mallory"])
        annotator, _ = Annotator.objects.get_or_create(pseudonym=name)
        values = {self.question().pk: self.dice.random() < 0.5 for _ in range(5)}
        answer(annotator, values, self.dice.choice(["random", "wanted"]))

    def add_concept(self) -> None:
        try:
            concepts.create(project=self.project, name=self.dice.choice(WORDS))
        except ConceptError:
            self.steps.append("refused")

    def renew(self) -> None:
        pools.renew(self.concept())

    def recompute(self) -> None:
        recompute.run(project=self.project)


@pytest.mark.parametrize("seed", range(3))
def test_stored_questions_are_believed_as_those_that_are_not(seed, garden, ada, tmp_path, settings):
    settings.POOL_DOUBTFUL, settings.POOL_LIKELY, settings.POOL_RANDOM = 3, 2, 3
    random.seed(seed)
    life = Life(garden, tmp_path, ada, seed)
    for _ in range(STEPS):
        life.step()
        for concept in garden.concepts.filter(merged_into=None):
            assert not disbelieved(concept), (concept.name, life.steps)

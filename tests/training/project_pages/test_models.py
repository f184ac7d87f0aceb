"""The page of a project's models: current ones, what waits, runs, and the way to train again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling import images, questions
from labeling.images import tiles
from labeling.models import Project, Question, Tile
from tests.pictures import draw
from training import zero_shot
from training.models import Model, Run

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries
    from pytest_django.fixtures import SettingsWrapper

SignIn = Callable[[str], Client]
MODELS = "/projects/shapes/models/"


def text(client: Client, address: str = MODELS) -> str:
    return client.get(address).content.decode()


def test_a_project_without_runs_says_what_a_model_does(ada_client: Client, shapes: Project) -> None:
    page = text(ada_client)
    assert "Nothing has been trained yet" in page and "/projects/shapes/train/" in page
    assert "Compare" not in page


def test_what_the_frozen_encoder_predicts_is_not_denied(ada_client: Client, run: Run) -> None:
    assert "nothing predicts answers" in text(ada_client)
    Project.objects.filter(pk=run.project_id).update(features="seen", encoder=zero_shot.ENCODER)
    page = text(ada_client)
    assert "an image encoder that came with the installation predicts" in page
    assert "No model is current" in page and "nothing predicts" not in page


def test_current_models_and_candidates_are_shown_with_their_verdicts(
    ada_client: Client, judged: Model
) -> None:
    page = text(ada_client)
    current = Model.objects.get(current=True)
    for model in (current, judged):
        assert reverse("project-model", args=["shapes", model.pk]) in page
    assert "Candidates newer than that" in page and "It cannot be &lt;judged&gt;" in page
    assert "/projects/shapes/compare/" in page


def test_runs_under_way_say_when_they_start(ada_client: Client, run: Run) -> None:
    Run.objects.create(project=run.project, recipe="gan", preset="cpu")
    page = text(ada_client)
    assert "Running: learning" in page and "step 3 of 9" in page
    assert "Queued: 1 before it" in page


def test_new_labels_lead_to_training_again(member: SignIn, run: Run) -> None:
    client = member("trainer")
    assert "Retrain" not in text(client)
    questions.ask_captions(
        captions=[(_tile(run.project), "a red circle")], source=Question.Source.IMPORT, prior=0.9
    )
    Question.objects.update(settled_at=timezone.now())
    assert "Retrain: 1 new label<" in text(client)
    assert "Retrain" not in text(member("viewer"))


def test_it_says_when_the_project_retrains_by_itself(
    ada_client: Client, shapes: Project, settings: SettingsWrapper
) -> None:
    settings.RETRAIN_MINIMUM = 50
    Project.objects.update(retrain_after=20)
    assert "once 50 more labels are settled" in text(ada_client)


def test_many_runs_are_shown_by_pages_and_with_few_queries(
    ada_client: Client, run: Run, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    Run.objects.bulk_create(
        Run(project=run.project, recipe="clip", preset="cpu", state="succeeded") for _ in range(40)
    )
    with django_assert_max_num_queries(40):
        page = text(ada_client)
    assert "Older" in page and page.count('class="run-state succeeded"') == 25
    assert "Newer" in text(ada_client, f"{MODELS}?page=2")
    assert ada_client.get(f"{MODELS}?page=x").status_code == 200


def _tile(project: Project) -> Tile:
    image, _ = images.add(
        project=project, data=draw(shape="circle", colour="red", corner=0), source="red.png"
    )
    return tiles.whole(image)

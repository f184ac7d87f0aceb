"""Which model becomes the current one, why, and who may say otherwise."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection

from labeling import questions, stored_folders
from labeling.models import Concept, Event, Question, Snapshot, Tile
from labeling.stored_folders import StorageAway
from tests.cast import COLOURS
from tests.pictures import draw
from tests.training.studio import lose, store
from training import comparison, feedback, promotion, run_folders, sample_questions, tasks
from training.models import Generation, Model, Promotion, Run, Sample

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Make = Callable[..., Model]
WHY = "It draws better circles."


@pytest.fixture
def make(
    bare_snapshot: Snapshot, behave: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> Make:
    """Models of finished runs, which nobody has judged yet."""
    behave("succeed")

    def model(recipe: str = "diffusion", **fields: object) -> Model:
        run = Run.objects.create(
            project=bare_snapshot.project,
            snapshot=bare_snapshot,
            recipe=recipe,
            state=Run.State.SUCCEEDED,
        )
        store({"config.json": "{}"}, name=(name := run_folders.model_name_of(run)))
        made = {"run": run, "folder": name} | fields
        return Model.objects.create(project=run.project, recipe=recipe, **made)

    return model


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda says: monkeypatch.setenv("VERDICT", says)


def reviewed(model: Model) -> Model:
    promotion.review(model)
    model.refresh_from_db()
    return model


def answered(model: Model, probability: float, count: int = 24) -> None:
    """People have answered whether the model's samples show circles, while it was accepted."""
    accepted = Model.objects.filter(pk=model.pk).values_list("accepted", flat=True).get()
    Model.objects.filter(pk=model.pk).update(accepted=True)
    generation = Generation.objects.create(
        model=model, prompt="a circle", count=count, state=Generation.State.SUCCEEDED
    )
    shape = ("circle", "square")[model.pk % 2]
    for number in range(count):
        corner = number // len(COLOURS), model.pk // 2 % 24  # no two models draw the same
        data = draw(shape=shape, colour=COLOURS[number % len(COLOURS)], corner=corner)
        file = default_storage.save(f"samples/{number}.png", ContentFile(data))
        Sample.objects.create(generation=generation, file=file, seed=number)
    sample_questions.ask(generation=generation)
    Model.objects.filter(pk=model.pk).update(accepted=accepted)
    Question.objects.filter(samples__generation=generation).update(
        answers_count=1, probability=probability
    )


def verdict_on(model: Model) -> dict[str, Any]:
    assert model.verdict
    return dict(model.verdict)


def current() -> Model:
    return Model.objects.get(current=True)


def test_a_first_model_that_is_better_than_chance_becomes_the_current_one(make: Make) -> None:
    model = reviewed(make())
    assert model.current and verdict_on(model)["baseline"] is None
    (row,) = Promotion.objects.all()
    assert row.automatic and row.model == model and row.reason == "It is better."


def test_a_worse_model_stays_a_candidate_and_says_why(
    make: Make, verdict: Callable[[str], None]
) -> None:
    first = reviewed(make())
    verdict("worse")
    second = reviewed(make())
    assert current() == first and not second.current
    assert (
        verdict_on(second)["why"] == "It is worse." and verdict_on(second)["baseline"] == first.pk
    )
    assert promotion.is_due(second) is False


def test_a_person_says_why(make: Make, ada: User) -> None:
    first = reviewed(make())
    for reason, complaint in (("  ", "Say why"), ("x" * 501, "longer than 500")):
        with pytest.raises(promotion.PromotionError, match=complaint):
            promotion.demote(first, by=ada, reason=reason)
    assert current() == first


def test_whoever_decides_by_what_was_current_before_is_told(make: Make, ada: User) -> None:
    first, second, third = reviewed(make()), reviewed(make()), make()
    with pytest.raises(promotion.PromotionError, match="look again"):
        promotion.promote(third, by=ada, reason=WHY, seen=first.pk)
    assert current() == second
    promotion.promote(third, by=ada, reason=WHY, seen=second.pk)
    assert current() == third


def test_changes_are_undone_one_by_one_down_to_no_current_model(make: Make, ada: User) -> None:
    first, second = reviewed(make()), reviewed(make())
    promotion.promote(make(), by=ada, reason=WHY)
    for remaining in (second, first, None):
        last = promotion.last_change(first.project_id, "diffusion")
        assert last
        undo = promotion.undo(last, by=ada, reason="It blurs.")
        assert undo.undoes == last and undo.model == remaining
        assert promotion.current_of(first.project_id, "diffusion") == remaining
    assert promotion.last_change(first.project_id, "diffusion") is None
    assert Promotion.objects.count() == 6
    assert not Model.objects.filter(accepted=True).exists()


def test_only_the_last_change_is_undone_and_only_once(make: Make, ada: User) -> None:
    reviewed(make()), reviewed(make())
    last, earlier = Promotion.objects.all()
    with pytest.raises(promotion.PromotionError, match="not the last change"):
        promotion.undo(earlier, by=ada, reason=WHY)
    promotion.undo(last, by=ada, reason=WHY)
    with pytest.raises(promotion.PromotionError, match="not the last change"):
        promotion.undo(last, by=ada, reason=WHY)


def test_nothing_is_undone_to_a_model_whose_files_have_gone(make: Make, ada: User) -> None:
    first, second = reviewed(make()), reviewed(make())
    lose(first)
    last = promotion.last_change(first.project_id, "diffusion")
    assert last
    with pytest.raises(promotion.PromotionError, match=r"not in the storage .* Put them back"):
        promotion.undo(last, by=ada, reason=WHY)
    assert current() == second


def test_a_model_that_was_taken_back_stays_so_and_a_new_one_has_to_beat_chance(
    make: Make, ada: User
) -> None:
    first = reviewed(make())
    promotion.demote(first, by=ada, reason="It draws nonsense.")
    with pytest.raises(promotion.PromotionError, match="not the current one"):
        promotion.demote(first, by=ada, reason=WHY)
    first.refresh_from_db()
    assert not reviewed(first).current and not first.accepted
    second = reviewed(make())
    assert second.current and verdict_on(second)["baseline"] is None


def test_every_change_is_in_the_projects_history(make: Make, ada: User) -> None:
    first = reviewed(make())
    promotion.demote(first, by=ada, reason="It draws nonsense.")
    last = promotion.last_change(first.project_id, "diffusion")
    assert last
    promotion.undo(last, by=ada, reason="It does not.")
    events = Event.objects.filter(kind=Event.Kind.MODEL).order_by("pk")
    assert [event.actor for event in events] == ["", "ada", "ada"]
    assert f"Took back the {first}" in events[1].message and "nonsense" in events[1].message
    assert events[2].message.startswith("Undid") and "It does not." in events[2].message


def test_a_model_that_was_only_surpassed_may_still_be_seen(make: Make, ada: User) -> None:
    first, second = reviewed(make()), reviewed(make())
    first.refresh_from_db()
    assert not first.current and first.accepted
    promotion.promote(first, by=ada, reason="The new one blurs.")  # which says that it is unfit
    second.refresh_from_db()
    assert not second.accepted


def test_recipes_have_a_current_model_each(make: Make) -> None:
    models = [reviewed(make(recipe)) for recipe in ("clip", "diffusion", "gan")]
    assert all(model.current for model in models)


def test_what_cannot_be_judged_is_no_current_model_and_is_not_asked_again(
    make: Make, verdict: Callable[[str], None], bare_snapshot: Snapshot
) -> None:
    verdict("explode")
    model = reviewed(make())
    assert (
        not model.current and "could not be judged: There is too little" in verdict_on(model)["why"]
    )
    assert list(promotion.due()) == []


@pytest.mark.parametrize("lost", ["snapshot", "baseline", "model"])
def test_no_verdict_is_stored_because_files_were_not_to_be_had(
    make: Make, bare_snapshot: Snapshot, lost: str
) -> None:
    first, second = reviewed(make()), make()
    row = {"snapshot": bare_snapshot, "baseline": first, "model": second}[lost]
    away = stored_folders.working("away")
    shutil.copytree(stored_folders.fetch(row.folder), away, dirs_exist_ok=True)
    lose(row)
    tasks.follow_up_now(second)
    second.refresh_from_db()
    assert second.reviewed_at is None and second.verdict is None and current() == first
    assert "not in the storage" in second.delay_reason and "back" in second.delay_reason
    assert second not in promotion.due()  # but later
    stored_folders.put(away, row.folder)
    Model.objects.filter(pk=second.pk).update(lease_until=None)
    assert second in promotion.due()
    tasks.follow_up_now(second)
    second.refresh_from_db()
    assert second.current and not second.delay_reason


def test_a_storage_that_is_away_decides_nothing(
    make: Make, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = reviewed(make()), make()

    def refuse(name: str, **options: object) -> None:
        raise StorageAway("The storage cannot be reached.")

    monkeypatch.setattr(stored_folders, "fetch", refuse)
    monkeypatch.setattr(stored_folders, "exists", refuse)
    tasks.follow_up_now(second)
    second.refresh_from_db()
    assert (second.reviewed_at, second.delay_reason) == (None, "The storage cannot be reached.")
    assert current() == first
    with pytest.raises(promotion.PromotionError, match="try again in a minute"):
        promotion.promote(second, by=ada, reason=WHY)
    assert not first.lacks_files


def test_a_current_model_without_files_gives_way_once_a_person_takes_it_back(
    make: Make, ada: User
) -> None:
    first, second = reviewed(make()), make()
    lose(first)
    with pytest.raises(promotion.PromotionError, match="Put them back"):
        promotion.promote(first)
    promotion.demote(first, by=ada, reason="Its files are lost.")
    assert reviewed(second).current and verdict_on(second)["baseline"] is None


def test_a_person_overrules_the_comparison_in_both_directions(
    make: Make, verdict: Callable[[str], None], ada: User
) -> None:
    first = reviewed(make())
    verdict("worse")
    second = reviewed(make())
    promotion.promote(second, by=ada, reason=WHY)
    assert current() == second
    promotion.promote(first, by=ada, reason=WHY)
    assert current() == first
    assert [p.promoted_by for p in Promotion.objects.all()] == [ada, ada, None]
    with pytest.raises(promotion.PromotionError, match="current one already"):
        promotion.promote(first, by=ada, reason=WHY)


def test_what_a_person_put_aside_is_not_promoted_again_by_itself(make: Make, ada: User) -> None:
    first, second = reviewed(make()), reviewed(make())
    promotion.promote(first, by=ada, reason=WHY)
    answered(first, 0.2)
    answered(second, 0.9)
    second.refresh_from_db()
    assert second not in promotion.due()
    assert not reviewed(second).current and current() == first


def test_a_model_that_people_find_worse_loses_to_the_one_before(make: Make) -> None:
    first, second = reviewed(make()), reviewed(make())
    assert current() == second
    answered(first, 0.9)
    answered(second, 0.3)
    assert list(promotion.due()) == [second]
    tasks.follow_up_now(second)
    assert current() == first
    rolled_back = Promotion.objects.first()
    assert rolled_back and rolled_back.automatic and "worse" in rolled_back.reason
    assert list(promotion.due()) == []


def test_what_a_person_made_current_stays_although_people_find_it_worse(
    make: Make, verdict: Callable[[str], None], ada: User
) -> None:
    first = reviewed(make())
    verdict("worse")
    second = reviewed(make())
    promotion.promote(second, by=ada, reason=WHY)
    answered(first, 0.9)
    answered(second, 0.3)
    second.refresh_from_db()
    people = verdict_on(reviewed(second))["judges"][-1]
    assert people["name"] == "people" and people["says"] == "worse"
    assert current() == second


def test_a_few_new_answers_call_for_no_review(make: Make) -> None:
    reviewed(make())
    answered(reviewed(make()), 0.3, count=promotion.NEW_ANSWERS - 1)
    assert list(promotion.due()) == []


def test_the_sweep_finds_a_models_answers_by_indexes_alone(make: Make) -> None:
    """However many questions, tiles and images the project has."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # tables are small here
    plan = comparison.answered_questions(make()).explain()
    assert "Seq Scan on" not in plan


def test_only_answers_about_its_own_samples_prompts_count_for_a_model(make: Make) -> None:
    model, other = make(), make()
    answered(model, 0.9, count=3)
    answered(other, 0.1, count=5)
    elsewhere = Concept.objects.create(
        project=model.project, name="square", phrase="a square", prevalence=0.5
    )
    questions.ask_concepts(tiles=Tile.objects.all(), concepts=[elsewhere])
    Question.objects.filter(concept=elsewhere).update(answers_count=7)
    assert comparison.answers_count(model) == 3
    assert comparison.answers_count(model, other) == 8
    assert comparison.people_posteriors(model) == pytest.approx([0.9] * 3)


def test_a_picture_that_two_models_generate_counts_for_both(make: Make) -> None:
    first, second = make(accepted=True), make(accepted=True)
    answered(first, 0.9, count=3)
    for sample in Sample.objects.all():
        sample.pk, sample.question = None, None
        sample.generation = Generation.objects.create(
            model=second, prompt="a circle", state=Generation.State.SUCCEEDED
        )
        sample.save()
        assert sample_questions.ask(generation=sample.generation) == 0
    assert comparison.answers_count(second) == comparison.answers_count(first) == 3


def test_people_judge_without_the_models_prediction(make: Make) -> None:
    model = make()
    answered(model, 0.5, count=1)
    Question.objects.update(prior_shift=3.0, probability=0.95)
    (posterior,) = comparison.people_posteriors(model)
    assert posterior == pytest.approx(0.486, abs=0.001)


def test_the_verdict_that_comes_second_changes_nothing(make: Make) -> None:
    slow = make()
    reviewed(Model.objects.get(pk=slow.pk))
    promotion.promote(make(), baseline=slow)
    promotion.review(slow)  # its row was read before the other worker's verdict
    slow.refresh_from_db()
    assert not slow.current and Promotion.objects.count() == 2


def test_a_verdict_against_a_model_that_was_replaced_meanwhile_is_dropped(
    make: Make, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other, model = reviewed(make()), make(), make()
    compare = comparison.compare

    def meanwhile(model: Model, baseline: Model | None) -> dict[str, object]:
        if baseline == first:
            promotion.promote(other, by=ada, reason=WHY)
        return compare(model, baseline)

    monkeypatch.setattr(comparison, "compare", meanwhile)
    assert reviewed(model).verdict is None and current() == other
    assert reviewed(model).current and verdict_on(model)["baseline"] == other.pk


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    enqueued: list[int] = []
    monkeypatch.setattr(
        tasks, "enqueue_on_commit", lambda task, *arguments: enqueued.extend(arguments)
    )
    yield enqueued


def test_what_a_worker_lost_before_the_review_or_the_feedback_left_undone_is_done(
    make: Make, woken: list[int], verdict: Callable[[str], None]
) -> None:
    model = make()
    tasks.sweep()
    assert woken == [model.pk]
    reviewed(model)
    tasks.sweep()
    assert woken == [model.pk] * 2
    tasks.follow_up(model.pk)
    model.refresh_from_db()
    assert model.feedback == {"samples": 0}
    tasks.sweep()
    assert woken == [model.pk] * 2


def test_only_the_current_clip_predicts_and_only_accepted_models_give_samples(
    make: Make, verdict: Callable[[str], None], ada: User
) -> None:
    first, candidate = reviewed(make("clip")), reviewed(make("gan"))
    Model.objects.filter(recipe="clip").update(feedback={"predictions": 3})
    verdict("worse")
    second, refused = reviewed(make("clip")), reviewed(make("gan"))
    assert candidate.current and not refused.current
    assert set(feedback.due()) == {candidate}
    promotion.promote(second, by=ada, reason=WHY)
    assert set(feedback.due()) == {candidate, second}
    promotion.promote(first, by=ada, reason=WHY)  # whose predictions have been replaced meanwhile
    assert set(feedback.due()) == {candidate, first}


@pytest.mark.django_db
def test_a_command_promotes_takes_back_and_undoes(
    make: Make, ada: User, capsys: pytest.CaptureFixture[str]
) -> None:
    model = make()
    by: dict[str, Any] = {"by": "ada", "reason": WHY}
    call_command("promote", str(model.pk), **by)
    assert promotion.current_of(model.project_id, "diffusion") == model
    call_command("promote", str(model.pk), take_back=True, **by)
    assert promotion.current_of(model.project_id, "diffusion") is None
    call_command("promote", str(model.pk), undo=True, **by)
    assert promotion.current_of(model.project_id, "diffusion") == model
    assert "No diffusion model is current." in capsys.readouterr().out
    with pytest.raises(CommandError, match="is the current one already"):
        call_command("promote", str(model.pk), **by)
    with pytest.raises(CommandError, match="no user “nobody”"):
        call_command("promote", str(model.pk), by="nobody", reason=WHY)
    assert list(Event.objects.values_list("actor", flat=True)[:3]) == ["ada"] * 3

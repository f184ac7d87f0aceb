"""A diffusion run that goes on from a model, by what people preferred of drawings."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import ModuleDict

from tests.training.engine.runs import write_run
from training.engine.config import read_config
from training.engine.data.rows import Drawings, Row, Snapshot
from training.engine.encoders.conditions import Condition
from training.engine.files import TrainingError
from training.engine.loop.loop import Loop
from training.engine.networks.condition import ConditionEmbedder
from training.engine.recipes import configure
from training.engine.recipes.base import Source
from training.engine.recipes.diffusion import DiffusionTraining
from training.engine.recipes.diffusion_model import DiffusionConfig, load
from training.engine.recipes.going_on import own_options, take_weights
from training.engine.recipes.preference_loss import expected_loss

WORDS = {"kind": "words"}


@pytest.fixture(scope="module")
def start(snapshot: Snapshot, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows no ratings."""
    folder = tmp_path_factory.mktemp("start")
    training = prepare(snapshot, cache)
    loop = Loop(training, training.config, seed=0)
    for _ in range(30):
        loop.advance()
    training.save(loop.ema.network, folder, {"format": 1, "recipe": "diffusion"})
    return folder


@pytest.fixture
def judged(snapshot: Snapshot) -> Snapshot:
    """Squares that were drawn from the prompt of a red one: people know which are red."""
    red = [row for row in snapshot.train if "red" in row.tags]
    others = [row for row in snapshot.train if row.tags and "red" not in row.tags]
    rows = [
        drawing(picture, f"{number} {shows}", f"a red square {number}", shows)
        for number in range(100)
        for picture, shows in ((red[number % len(red)], 0.97), (others[number % 40], 0.03))
    ]
    return replace(snapshot, drawings=Drawings(tuple(rows)))


def drawing(picture: Row, content: str, prompt: str, shows: float) -> Row:
    return Row(picture.path, (), (), {}, content, generated=True, prompt=prompt, shows_prompt=shows)


def prepare(snapshot: Snapshot, cache: Path, start: Path | None = None) -> DiffusionTraining:
    config = configure("diffusion", "smoke", {"steps": 40, "learning_rate": 1e-3})
    return DiffusionTraining(config, Source(snapshot, cache, 3, WORDS, start=start))  # type: ignore[arg-type]


def gap(training: DiffusionTraining) -> float:
    """Return how much better the network is at what people prefer, than the reference is."""
    preferences = training.preferences
    assert preferences
    torch.manual_seed(9)
    rows = torch.cat([preferences.better, preferences.worse])
    condition = type(preferences.prompts)(*(part[rows] for part in preferences.prompts))
    x0 = preferences.latents(rows)
    t, noise = torch.rand(len(rows)), torch.randn_like(x0)
    with torch.no_grad():
        better, worse = (
            training.errors(preferences.reference, x0, noise, t, condition)
            - training.errors(training.network, x0, noise, t, condition)
        ).chunk(2)
    return float((better - worse).mean())


def test_it_grows_better_at_what_people_prefer(judged: Snapshot, cache: Path, start: Path) -> None:
    training = prepare(judged, cache, start)
    assert gap(training) == 0  # it begins as the model that it goes on from
    loop = Loop(training, training.config, seed=1)
    for _ in range(30):
        loop.advance()
    assert gap(training) > 0.01


def test_it_resumes_bit_for_bit(judged: Snapshot, cache: Path, start: Path, tmp_path: Path) -> None:
    whole, first, second = (prepare(judged, cache, start) for _ in range(3))
    loops = [Loop(training, training.config, seed=5) for training in (whole, first, second)]
    for _ in range(6):
        loops[0].advance()
    for _ in range(2):
        loops[1].advance()
    loops[1].save(tmp_path / "000002.safetensors")
    loops[2].load(tmp_path / "000002.safetensors")
    for _ in range(4):
        loops[2].advance()
    for one, other in zip(
        whole.network.state_dict().values(), second.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_a_new_rating_changes_no_picture_at_first(
    judged: Snapshot, cache: Path, start: Path, tmp_path: Path
) -> None:
    training = prepare(judged, cache, start)
    training.save(training.network, tmp_path, {"format": 1, "recipe": "diffusion"})
    before, after = load(start), load(tmp_path)
    assert (before.prompt_encoder.ratings, after.prompt_encoder.ratings) == (0, 1)
    drawn = [m.sample(["a red square"], [1], confidence=0.8) for m in (before, after)]
    assert (drawn[0] == drawn[1]).all()


def test_new_ratings_stand_before_the_one_of_an_encoder_that_sees_pictures() -> None:
    before, after = (ModuleDict({"condition_embedder": ConditionEmbedder(4, 8, n)}) for n in (1, 3))
    take_weights(after, before.state_dict(), known=0)
    text, confidence = torch.randn(5, 4), torch.rand(5)
    fit = torch.rand(5, 1)
    people = torch.rand(5, 2)
    one, other = (
        net["condition_embedder"](Condition(text, confidence, ratings))
        for net, ratings in ((before, fit), (after, torch.cat([people, fit], 1)))
    )
    torch.testing.assert_close(one, other)


def test_few_pairs_teach_as_rated_pictures_alone(
    judged: Snapshot, cache: Path, start: Path
) -> None:
    few = replace(judged, drawings=Drawings(judged.drawings.rows[:20]))
    training = prepare(few, cache, start)
    assert training.preferences is None
    assert training.drawn == 20


def test_judged_drawings_are_a_part_of_every_run_and_never_most_of_it(
    judged: Snapshot, cache: Path
) -> None:
    training = prepare(judged, cache)  # 200 drawings beside 80 pictures
    torch.manual_seed(0)
    _, _, condition = training.sample_batch(2000)
    drawn = (condition.ratings < 0.6).float().mean() / 0.7  # a rating is dropped at .3
    assert 0.15 < drawn < 0.25


def test_people_who_may_be_wrong_pull_less() -> None:
    certain, doubtful = (
        torch.autograd.grad(
            expected_loss(x := torch.zeros(1, requires_grad=True), *map(torch.tensor, pair)), x
        )[0]
        for pair in (([0.98], [0.0]), ([0.5], [0.1]))
    )
    even = expected_loss(
        y := torch.zeros(1, requires_grad=True), torch.tensor([0.3]), torch.tensor([0.3])
    )
    assert certain > doubtful > 0
    assert torch.autograd.grad(even, y)[0] == 0


def test_a_model_that_is_gone_or_another_is_refused_with_a_sentence(
    start: Path, tmp_path: Path
) -> None:
    kind = type(configure("diffusion", "smoke", {}))
    with pytest.raises(TrainingError, match=r"goes on from, is gone\.$"):
        own_options(tmp_path / "gone", "diffusion", kind)
    with pytest.raises(TrainingError, match="holds no gan model"):
        own_options(start, "gan", kind)
    weights = load(start).network.state_dict()
    with pytest.raises(TrainingError, match="leave out the options"):
        take_weights(torch.nn.Linear(2, 2), weights, 0)


def test_a_run_folder_names_the_model_to_go_on_from_and_takes_its_options(
    start: Path, snapshot_folder: Path, cache: Path, tmp_path: Path
) -> None:
    chosen = {"preset": "preferences", "start": str(start), "options": {"guidance": 3}}
    settings = read_config(write_run(tmp_path / "run", snapshot_folder, cache, **chosen)).settings
    assert isinstance(settings, DiffusionConfig)
    assert (settings.width, settings.guidance, settings.steps) == (64, 3.0, 400)
    for name, wrong in (("afresh", {"start": str(start)}), ("bare", {"preset": "preferences"})):
        with pytest.raises(TrainingError, match="goes on from"):
            read_config(write_run(tmp_path / name, snapshot_folder, cache, **wrong))

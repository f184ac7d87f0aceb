"""The loop around every recipe: memory that is full, losses that are no numbers, checkpoints."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.engine.files import TrainingError
from training.engine.loop import checkpoints
from training.engine.loop.checkpoints import BrokenCheckpointError
from training.engine.loop.loop import Loop
from training.engine.recipes.base import Config, Phase
from training.engine.version import RUN_FORMAT, code_version


class Line:
    """Fits y = 3x; ``memory`` is how many pictures a GPU of that size would hold."""

    def __init__(
        self, memory: int = 1000, spoil: Callable[[int], bool] = lambda call: False
    ) -> None:
        torch.manual_seed(0)
        self.network: nn.Module = nn.Linear(1, 1)
        self.phases: Sequence[Phase] = (Phase("line", self.network, self.draw, self.loss),)
        self.memory = memory
        self.spoil = spoil
        self.counts: list[int] = []

    def draw(self, count: int) -> Tensor:
        return torch.randn(count, 1)

    def loss(self, x: Tensor) -> Tensor:
        self.counts.append(len(x))
        if len(x) > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        error: Tensor = (self.network(x) - 3 * x).square().mean()
        return error * float("nan") if self.spoil(len(self.counts)) else error

    def sample_grid(self, network: nn.Module, prompts: tuple[str, ...]) -> bytes | None:
        return None

    def save(self, network: nn.Module, folder: Path, about: dict[str, Any]) -> None: ...


CONFIG = Config(steps=200, batch=10, learning_rate=0.1, warmup=1)


def test_a_batch_that_memory_cannot_hold_goes_in_parts_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = Line(memory=3)
    loop = Loop(line, CONFIG, seed=0)
    loop.advance()
    assert line.counts == [10, 5, 2, 3, 2, 3]
    assert "a batch goes in 4 parts" in capsys.readouterr().err
    loop.advance()
    assert line.counts[6:] == [2, 3, 2, 3]


def test_a_batch_in_parts_has_the_gradient_of_the_whole() -> None:
    whole, parts = Line(), Line(memory=5)
    for line in (whole, parts):
        Loop(line, CONFIG, seed=0).advance()
    assert torch.allclose(_gradient(whole), _gradient(parts), atol=1e-6)


def _gradient(line: Line) -> Tensor:
    return torch.cat([parameter.grad.flatten() for parameter in line.network.parameters()])  # type: ignore[union-attr]


def test_memory_too_small_for_one_picture_ends_the_run_with_advice() -> None:
    with pytest.raises(TrainingError, match="choose a smaller preset"):
        Loop(Line(memory=0), CONFIG, seed=0).advance()


def test_parts_are_remembered_in_checkpoints(tmp_path: Path) -> None:
    loop = Loop(Line(memory=3), CONFIG, seed=0)
    loop.advance()
    loop.save(tmp_path / "1.safetensors")
    again = Loop(Line(memory=3), CONFIG, seed=0)
    again.load(tmp_path / "1.safetensors")
    assert again.parts == 4


def test_a_loss_that_is_no_number_leaves_the_weights_as_they_were() -> None:
    line = Line(spoil=lambda call: call == 3)
    loop = Loop(line, CONFIG, seed=0)
    loop.advance()
    loop.advance()
    before = [parameter.detach().clone() for parameter in line.network.parameters()]
    with pytest.raises(TrainingError, match="no longer a number at step 3"):
        loop.advance()
    assert all(map(torch.equal, before, line.network.parameters()))


def unseen_divergence() -> Loop:
    """A loop that checks its loss as rarely as on a GPU, and whose second loss is no number."""
    loop = Loop(Line(spoil=lambda call: call == 2), CONFIG, seed=0)
    loop.check_interval = 10
    return loop


def test_weights_that_are_no_numbers_are_not_saved_and_the_last_checkpoint_stays(
    tmp_path: Path,
) -> None:
    loop = unseen_divergence()
    loop.advance()
    checkpoints.save(tmp_path, loop.state())
    loop.advance()  # between two checks of the loss
    with pytest.raises(TrainingError, match="no longer numbers at step 2"):
        checkpoints.save(tmp_path, loop.state())
    assert [path.name for path in checkpoints.paths(tmp_path)] == ["000001.safetensors"]
    again = Loop(Line(), CONFIG, seed=0)
    again.restore(checkpoints.latest(tmp_path))  # type: ignore[arg-type]
    assert again.step == 1


def test_a_checkpoint_with_weights_that_are_no_numbers_is_known_as_broken(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path)
    state = _state()
    save_file({**load_file(path), "network.bias": torch.tensor([torch.inf])}, path, state)
    with pytest.raises(BrokenCheckpointError, match="no number"):
        Loop(Line(), CONFIG, seed=0).load(path)


def test_the_last_checkpoints_are_kept_also_beyond_six_digits(tmp_path: Path) -> None:
    loop = Loop(Line(), CONFIG, seed=0)
    for step in (999_998, 999_999, 1_000_000):
        loop.step = step
        checkpoints.save(tmp_path, loop.state())
    kept = [path.stem for path in checkpoints.paths(tmp_path)]
    assert kept == ["999999", "1000000"]
    latest = checkpoints.latest(tmp_path)
    assert latest
    assert latest.step == 1_000_000


def test_it_learns_in_bf16_too() -> None:
    loop = Loop(Line(), Config(steps=200, batch=10, learning_rate=0.1, precision="bf16"), seed=0)
    while not loop.finished:
        loop.advance()
    assert loop.bf16
    assert loop.ema.network.weight.item() == pytest.approx(3, abs=0.1)  # type: ignore[operator]
    assert loop.ema.network.weight.dtype == torch.float32


class Duel(Line):
    """Two networks that learn in turns."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.ModuleDict({"first": nn.Linear(1, 1), "second": nn.Linear(1, 1)})
        self.phases = [
            Phase(
                name,
                module,
                self.draw,
                lambda x, module=module: module(x).square().mean(),
            )  # type: ignore[misc]
            for name, module in self.network.items()
        ]


def test_each_phase_moves_its_own_part_and_resumes_with_its_own_moments(tmp_path: Path) -> None:
    whole = Loop(Duel(), CONFIG, seed=1)
    for _ in range(4):
        whole.advance()
    first = Loop(Duel(), CONFIG, seed=1)
    first.advance()
    first.advance()
    first.save(tmp_path / "2.safetensors")
    second = Loop(Duel(), CONFIG, seed=1)
    second.load(tmp_path / "2.safetensors")
    second.advance()
    second.advance()
    pairs = zip(
        whole.training.network.parameters(), second.training.network.parameters(), strict=True
    )
    assert all(torch.equal(a, b) for a, b in pairs)
    assert set(whole.losses) == {"first", "second"}


def _state(**changes: object) -> dict[str, str]:
    state: dict[str, object] = {
        "step": 1,
        "elapsed": 1,
        "parts": 1,
        "format": RUN_FORMAT,
        "code": code_version(),
    }
    return {"state": json.dumps(state | changes)}


def _checkpoint(folder: Path) -> Path:
    loop = Loop(Line(), CONFIG, seed=0)
    loop.advance()
    loop.save(folder / "1.safetensors")
    return folder / "1.safetensors"


def test_a_cut_checkpoint_is_known_as_broken(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BrokenCheckpointError):
        Loop(Line(), CONFIG, seed=0).load(path)


@pytest.mark.parametrize("name", ["optimizer.0.0.exp_avg", "network.weight", "ema.bias"])
def test_a_checkpoint_with_a_tensor_of_another_shape_is_refused(tmp_path: Path, name: str) -> None:
    path = _checkpoint(tmp_path)
    state = _state()
    save_file({**load_file(path), name: torch.zeros(7)}, path, state)
    with pytest.raises(TrainingError, match="does not fit"):
        Loop(Line(), CONFIG, seed=0).load(path)


def test_a_checkpoint_of_other_code_that_does_not_fit_names_both_versions(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path)
    save_file({**load_file(path), "ema.bias": torch.zeros(7)}, path, _state(code="1.0+abc"))
    with pytest.raises(TrainingError, match=r"version 1\.0\+abc of .* is kept"):
        Loop(Line(), CONFIG, seed=0).load(path)


def test_a_checkpoint_in_another_format_is_not_passed_over(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path / "checkpoints")
    other = path.with_name("000002.safetensors")
    save_file(load_file(path), other, _state(step=2, format=RUN_FORMAT + 1, code="9.0"))
    with pytest.raises(TrainingError, match=r"step 2 was written by version 9\.0"):
        checkpoints.latest(tmp_path)
    assert other.is_file()


@pytest.mark.parametrize("state", ["", "[]", '{"step": "x"}', '{"step": 1e400, "elapsed": 0}'])
def test_a_checkpoint_with_a_hostile_state_is_known_as_broken(tmp_path: Path, state: str) -> None:
    path = _checkpoint(tmp_path)
    save_file(load_file(path), path, {"state": state})
    with pytest.raises(BrokenCheckpointError):
        Loop(Line(), CONFIG, seed=0).load(path)

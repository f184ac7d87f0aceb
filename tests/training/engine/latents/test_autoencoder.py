"""The autoencoder: what it learns, keeps, goes on from, and does without."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from training.engine.data.packing import pack
from training.engine.data.rows import Row, Snapshot, digest
from training.engine.encoders import efficientnet
from training.engine.latents import fit_autoencoder
from training.engine.latents.autoencoder import CHANNELS, Autoencoder, signed
from training.engine.latents.fit_autoencoder import Task, fit

SIZE = 16


@pytest.fixture
def task(snapshot: Snapshot, cache: Path, tmp_path: Path) -> Task:
    """Return eight steps on coloured squares, in a cache of their own."""
    rows = list(snapshot.train)
    pixels = pack(rows, SIZE, cache, digest(rows))
    return Task(rows, pixels, tmp_path, steps=8)


@pytest.fixture
def steps_made(task: Task) -> Callable[[Task], int]:
    """Fit, and return how many steps that took."""

    def count(task: Task) -> int:
        made: list[int] = []
        fit(replace(task, on_step=lambda done, steps, pictures: made.append(done)))
        return len(made)

    return count


def some(task: Task, rows: slice) -> Task:
    return replace(task, rows=task.rows[rows], pixels=task.pixels[rows])


def equal(first: Autoencoder, second: Autoencoder) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def error(autoencoder: Autoencoder, task: Task) -> float:
    decoded = autoencoder.pictures(autoencoder.encode_all(task.pixels))
    return float(np.abs(decoded.astype(float) - task.pixels).mean())


def test_it_learns_to_encode_and_decode_pictures_and_their_mirror_images(task: Task) -> None:
    learnt = fit(replace(task, steps=40))
    latents = learnt.encode_all(task.pixels)
    assert latents.shape == (len(task.rows), CHANNELS, SIZE // 8, SIZE // 8)
    assert torch.allclose(latents.mean((0, 2, 3)), torch.zeros(CHANNELS), atol=1e-3)
    assert torch.allclose(latents.std((0, 2, 3)), torch.ones(CHANNELS), atol=1e-3)
    assert error(learnt, task) < 0.5 * error(fit(task), task)
    with torch.no_grad():
        latents = learnt.encode(signed(task.pixels))
        mirrored = learnt.decode(latents.flip(-1)) - learnt.decode(latents).flip(-1)
        unlike = learnt.decode(latents) - learnt.decode(latents).flip(-1)
    assert mirrored.abs().mean() < 0.5 * unlike.abs().mean()


def test_it_is_fitted_once_for_the_same_pictures(
    task: Task, steps_made: Callable[[Task], int]
) -> None:
    first = fit(task)
    assert steps_made(task) == 0
    assert equal(first, fit(task))
    task.path.write_bytes(task.path.read_bytes()[:1000])  # a disk's fault
    assert steps_made(task) == task.steps


def test_a_killed_fit_goes_on_from_its_checkpoint(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(replace(task, cache=tmp_path / "whole"))

    def kill(done: int, steps: int, pictures: int) -> None:
        if done == 6:
            raise SystemExit

    monkeypatch.setattr(fit_autoencoder, "CHECKPOINT", 4)
    with pytest.raises(SystemExit):
        fit(replace(task, on_step=kill))
    steps: list[int] = []
    resumed = fit(replace(task, on_step=lambda done, *rest: steps.append(done)))
    assert steps == [5, 6, 7, 8]
    assert equal(whole, resumed)
    assert not task.checkpoint.exists()


def test_new_pictures_take_a_part_of_the_steps(
    task: Task, steps_made: Callable[[Task], int]
) -> None:
    fit(some(task, slice(0, 60)))
    assert steps_made(task) == 2  # a quarter of the pictures is new


def test_what_was_fitted_to_a_picture_that_is_gone_is_not_built_on(
    task: Task, steps_made: Callable[[Task], int]
) -> None:
    fit(task)
    assert steps_made(some(task, slice(1, None))) == task.steps


def test_without_the_encoder_it_is_fitted_to_pixels(
    task: Task, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    efficientnet.load_efficientnet.cache_clear()
    monkeypatch.setattr(efficientnet, "WHEEL", "no_such_wheel")
    assert error(fit(task), task) < 128
    assert "softer" in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 3])
def test_one_picture_or_one_colour_is_no_trouble(tmp_path: Path, count: int) -> None:
    pixels = np.full((count, SIZE, SIZE, 3), 200, np.uint8)
    rows = [Row(Path(str(number)), (), (), {}) for number in range(count)]
    learnt = fit(Task(rows, pixels, tmp_path, steps=4))
    assert torch.isfinite(learnt.encode_all(pixels)).all()

"""What a batch is conditioned on where an encoder sees pictures, and where people judged some."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from tests.training.engine.runs import square
from training.engine.data.pictures import Pixels
from training.engine.data.rows import Row
from training.engine.encoders.clip import Clip
from training.engine.encoders.conditions import Conditions, prompt_condition
from training.engine.encoders.text import TextEncoder
from training.engine.networks.condition import ConditionEmbedder

CHANNELS = {"red": 0, "green": 1, "blue": 2}


@pytest.fixture
def encoder() -> TextEncoder:
    """Sees a square's colour, and reads colour words, in one space."""

    def see(pixels: Pixels) -> Tensor:
        ink = torch.from_numpy(255 - pixels.reshape(len(pixels), -1, 3).mean(1)).float()
        return normalize(ink.max(1, keepdim=True).values - ink + 1e-3, dim=1)

    def read(texts: list[str]) -> Tensor:
        rows = torch.full((len(texts), 3), 1e-3)
        for line, text in zip(rows, texts, strict=True):
            for word in text.split():
                if word in CHANNELS:
                    line[CHANNELS[word]] = 1
        return normalize(rows, dim=1)

    clip = Clip("colours", 16, 3, see, read)  # type: ignore[arg-type]
    return TextEncoder({}, "colours", 3, read, clip)  # type: ignore[arg-type]


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Write a red square called red, a blue one called red, and a green one without text."""
    written = []
    for colour, caption in (("red", "red"), ("blue", "red"), ("green", "")):
        path = tmp_path / f"{colour}.png"
        path.write_bytes(square(colour, 8, 8))
        written.append(Row(path, ((caption, 0.9),) if caption else (), (), {}))
    return written


def test_how_well_a_text_fits_its_picture_is_a_rating(
    rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    conditions = Conditions(rows, [], encoder, tmp_path)
    assert conditions.ratings == ("clip",)
    assert conditions.rated[:2, 0].tolist() == [1, 0]
    assert conditions.rated[2].isnan().all()


def test_a_picture_without_text_stands_for_its_own(
    rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    conditions = Conditions(rows, [], encoder, tmp_path)
    assert conditions.has_text.all()
    condition = conditions.sample(torch.full((64,), 2), cond_drop_prob=0)
    assert condition.confidence.tolist() == pytest.approx([conditions.sampling_confidence] * 64)
    green = condition.text[:, 1]
    assert 0.7 < float(green.mean()) < 1  # it is near, but there is noise
    assert torch.allclose(condition.text.norm(dim=1), torch.ones(64))


def test_an_altered_picture_is_not_judged_by_its_file(
    rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    turned = replace(rows[0], content="turned")
    conditions = Conditions([*rows, turned], [], encoder, tmp_path, altered=1)
    assert conditions.rated[3].isnan().all()


def test_ratings_are_withheld_now_and_then(
    rows: list[Row], encoder: TextEncoder, tmp_path: Path
) -> None:
    condition = Conditions(rows, [], encoder, tmp_path).sample(torch.zeros(500, dtype=torch.int64))
    assert 0.2 < float(condition.ratings.isnan().float().mean()) < 0.4


def test_samples_are_asked_for_at_their_best_and_nothing_of_it_is_left_at_confidence_nought(
    encoder: TextEncoder,
) -> None:
    embedder = ConditionEmbedder(3, 8, ratings=2)
    best = prompt_condition(encoder, ["red", ""], 0.8, 2)
    assert (best.ratings == 1).all()
    rated, plain = embedder(best), embedder(best._replace(ratings=torch.full((2, 2), torch.nan)))
    assert not torch.equal(rated[0], plain[0])
    assert torch.equal(rated[1], plain[1])

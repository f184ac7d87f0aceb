"""The sentence encoder, and hashed words where it is missing."""

from pathlib import Path

import pytest
import torch

from training.engine.encoders import text
from training.engine.encoders.specs import default_spec, load_text_encoder
from training.engine.files import TrainingError


def test_the_sentence_encoder_knows_that_a_lorry_is_a_truck() -> None:
    rows = load_text_encoder({"kind": "sentence"}).encode(["a lorry", "a truck", "a violin"])
    assert torch.allclose(rows.norm(dim=1), torch.ones(3), atol=1e-4)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_a_text_is_encoded_as_by_transformers() -> None:
    text = "\u2019quoted\u2019 [MASK] foo\x00bar emoji \U0001f600"
    (row,) = load_text_encoder({"kind": "sentence"}).encode([text])
    assert row[:4].tolist() == pytest.approx([-0.1080, -0.0041, 0.0877, -0.0011], abs=1e-4)


def test_a_text_is_encoded_alike_alone_and_among_longer_ones() -> None:
    encode = load_text_encoder({"kind": "sentence"}).encode
    among = encode(["a cat", "a very long sentence about nothing at all, really " * 4])
    assert torch.allclose(encode(["a cat"])[0], among[0], atol=1e-4)


def test_words_stand_in_where_the_sentence_encoder_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text, "SENTENCE_WHEEL", "no_such_wheel")
    encoder = load_text_encoder(default_spec())
    rows = encoder.encode(["a red apple", "a green apple", "seven clocks", ""])
    assert encoder.identity == "words"
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2
    assert not rows[3].any()


def test_another_folder_may_hold_the_sentence_encoder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = text.checked_sentence_folder()
    for name in text.SENTENCE_FILES:
        (tmp_path / name).symlink_to(original / name)
    monkeypatch.setenv("SENTENCE_ENCODER", str(tmp_path))
    monkeypatch.setattr(text, "SENTENCE_WHEEL", "no_such_wheel")
    assert text.checked_sentence_folder() == tmp_path
    assert default_spec() == {"kind": "sentence"}


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
def test_a_sentence_encoder_that_is_another_or_incomplete_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original = text.checked_sentence_folder()
    for each in text.SENTENCE_FILES:
        (tmp_path / each).symlink_to(original / each)
    (tmp_path / name).unlink()
    monkeypatch.setenv("SENTENCE_ENCODER", str(tmp_path))
    with pytest.raises(TrainingError, match=rf"{name} cannot be read .* from Hugging Face"):
        text.checked_sentence_folder()
    (tmp_path / name).write_text("something else")
    with pytest.raises(TrainingError, match=rf"{name} is not the file that was pinned"):
        text.checked_sentence_folder()

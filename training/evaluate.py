"""What a finished model is worth: each figure with what chance, or real pictures, would reach."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training import lsa
from training.calibration import Calibration, informed
from training.clip import Clip, device
from training.data import Pixels, Row, Snapshot, digest, pack
from training.files import TrainingError, read_json, write_tensors
from training.latents import Neighbours
from training.loop import Loop
from training.prompts import shows
from training.recipes import clip as clip_recipe
from training.recipes import diffusion

JUDGE = "lsa-clip"  # resnet10t that meets the snapshot's own words: no part of any conditioner
JUDGE_SIZE = 32  # pixels
NEAR_COPY = 0.5  # of the distance between neighbouring training pictures


def evaluate(folder: Path, snapshot: Snapshot, *, cache: Path) -> dict[str, float]:
    """The metrics of a model folder; raises ``TrainingError`` where it holds no model."""
    about = read_json(folder / "config.json")
    if not isinstance(about, dict) or about.get("recipe") not in ("clip", "diffusion"):
        raise TrainingError(f"{folder} is not a model folder.")
    if about["recipe"] == "clip":
        return evaluate_clip(clip_recipe.load(folder), Calibration.load(folder), snapshot, cache)
    return evaluate_diffusion(folder, snapshot, about["prompts"], cache, int(about["seed"]))


def evaluate_clip(
    clip: Clip, calibration: Calibration, snapshot: Snapshot, cache: Path
) -> dict[str, float]:
    """Retrieval of held-out captions, and of held-out pictures by concept, beside chance."""
    metrics: dict[str, float] = {}
    captioned = [row for row in snapshot.test if row.captions]
    if len(captioned) >= 10:
        images = _embed(captioned, clip, cache)
        texts = clip.encode_texts([row.captions[0][0] for row in captioned])
        own = torch.arange(len(captioned))
        ranked = (texts @ images.T).topk(10, dim=1).indices
        metrics["recall@10"] = float(ranked.eq(own[:, None]).any(1).float().mean())
        metrics["recall@10_chance"] = 10 / len(captioned)
        metrics["caption_among_ten"] = _among_ten(images, texts)
        metrics["caption_among_ten_chance"] = 0.1
    if snapshot.test and snapshot.concepts:
        metrics |= _concepts(clip, calibration, snapshot, cache)
    return metrics


def _concepts(
    clip: Clip, calibration: Calibration, snapshot: Snapshot, cache: Path
) -> dict[str, float]:
    """Average precision and log loss over the concepts that held-out pictures are judged for."""
    names = snapshot.concepts
    images, truth = _embed(snapshot.test, clip, cache), informed(snapshot.test, names)
    texts = clip.encode_texts(names)
    fits, probabilities, shares, losses = [], [], [], []
    for name, text, column in zip(names, texts, truth.T, strict=True):
        known = column.isfinite()
        yes = column[known] > 0.5
        if not 0 < int(yes.sum()) < len(yes):
            continue
        p = calibration.probability(images[known], name, text, "concept")
        fits.append(_average_precision(calibration.fit(images[known], text), yes))
        probabilities.append(_average_precision(p, yes))
        shares.append(float(yes.float().mean()))
        losses.append(torch.nn.functional.binary_cross_entropy(p, yes.float()).item())
    if not fits:
        return {}
    return {
        "concept_ap": float(np.mean(probabilities)),
        "concept_ap_zero_shot": float(np.mean(fits)),
        "concept_ap_chance": float(np.mean(shares)),
        "concept_log_loss": float(np.mean(losses)),
    }


def _average_precision(scores: Tensor, yes: Tensor) -> float:
    hits = yes[scores.argsort(descending=True)].float()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum())


def evaluate_diffusion(
    folder: Path, snapshot: Snapshot, prompts: Sequence[str], cache: Path, seed: int
) -> dict[str, float]:
    """R-precision by an independent judge, and how near samples are to training pictures."""
    model, neighbours = diffusion.load(folder), Neighbours.load(folder)
    asked = [prompt for prompt in prompts for _ in range(model.config.samples)]
    latents = model.draw(asked, [seed + i for i in range(model.config.samples)] * len(prompts))
    metrics = _nearness(latents * model.pca.scale, neighbours)
    if model.config.judge_steps == 0 or len(prompts) < 2:
        return metrics
    judge = train_judge(snapshot, model.config.judge_steps, cache)
    drawn = judge.encode_images(_resized(model.pca.pictures(latents), judge.size))
    known = judge.encode_texts(prompts)
    own = torch.arange(len(prompts)).repeat_interleave(model.config.samples)
    name = f"r_precision@{JUDGE}"
    return {
        name: _precision(drawn, known, own),
        "chance": 1 / len(prompts),
        **_precision_on_real(name, judge, snapshot, prompts, known, cache),
        **metrics,
    }


def _precision(images: Tensor, texts: Tensor, own: Tensor) -> float:
    """How often, of all texts, the one that a picture was drawn for suits it best."""
    return float((images @ texts.T).argmax(1).eq(own).float().mean())


def _precision_on_real(
    name: str,
    judge: Clip,
    snapshot: Snapshot,
    prompts: Sequence[str],
    known: Tensor,
    cache: Path,
) -> dict[str, float]:
    """The judge's own worth: on training pictures of the same things, and on held-out pictures."""
    metrics = {}
    real = [
        (row, index)
        for row in snapshot.train
        for index, prompt in enumerate(prompts)
        if shows(row, prompt)
    ]
    if real:
        images = _embed([row for row, _ in real], judge, cache)
        own = torch.tensor([index for _, index in real])
        metrics[f"{name}_of_real_training_pictures"] = _precision(images, known, own)
    held_out = [row for row in snapshot.test if row.captions]
    if len(held_out) >= 10:
        images = _embed(held_out, judge, cache)
        texts = judge.encode_texts([row.captions[0][0] for row in held_out])
        metrics[f"{name}_of_real_held_out_pictures"] = _among_ten(images, texts)
    return metrics


def _among_ten(images: Tensor, texts: Tensor) -> float:
    """How often a picture's own text suits it better than nine others'."""
    random = np.random.default_rng(0)
    hits = []
    for index in range(len(texts)):
        others = random.permutation(np.delete(np.arange(len(texts)), index))[:9]
        scores = texts[np.array([index, *others])] @ images[index]
        hits.append(float(scores.argmax() == 0))
    return float(np.mean(hits))


def _nearness(coefficients: Tensor, neighbours: Neighbours) -> dict[str, float]:
    distance = neighbours.nearest(coefficients, 1)[0][:, 0]
    apart = neighbours.apart()
    return {
        "nearest_train": float(distance.median()),
        "nearest_train_of_training_pictures": apart,
        "near_copies": float((distance < NEAR_COPY * apart).float().mean()),
    }


def train_judge(snapshot: Snapshot, steps: int, cache: Path) -> Clip:
    """A CLIP with a text tower of its own, trained on the snapshot once and kept in ``cache``."""
    config = clip_recipe.ClipConfig(steps=steps, size=JUDGE_SIZE, text="words")
    name = hashlib.sha256(f"{JUDGE} {lsa.RANK} {snapshot.digest} {config}".encode()).hexdigest()[
        :16
    ]
    base = clip_recipe.Small(config, lsa.fit(snapshot.train, snapshot.digest))
    folder = cache / f"judge-{name}"
    if not (folder / "model.safetensors").exists():
        training = clip_recipe.ClipTraining(config, snapshot, cache=cache, seed=1, base=base)
        loop = Loop(training, config, seed=1)
        while not loop.finished:
            loop.advance()
        write_tensors(folder / "model.safetensors", loop.ema.network.state_dict())
    clip_recipe.start_from(folder, base.network)
    return base.finished(base.network.to(device()), name)


def _embed(rows: Sequence[Row], clip: Clip, cache: Path) -> Tensor:
    return clip.encode_images(pack(rows, clip.size, cache, digest(rows)))


def _resized(pixels: Pixels, size: int) -> Pixels:
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    resized = torch.nn.functional.interpolate(images, (size, size), mode="bilinear", antialias=True)
    array: Pixels = resized.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return array

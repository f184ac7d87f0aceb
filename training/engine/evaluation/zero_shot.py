"""Predict concepts of tiles before anybody has answered, by the frozen encoders alone.

Two things speak for a concept: what the picture's ImageNet classes mean (`encoders.imagenet`), and
what captions and keywords the project has. For the latter, each tile with texts gets a target for
each concept, by how like it they are; ridge regression of the targets on the tiles' features then
predicts every tile: out of fold those that it was fitted to. How far each of the two is believed is
fitted to the same targets (`text_targets.fit_blend`). A concept's mean probability is its
prevalence; people's answers decide later how much all this weighs.
"""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize, pad

from labeling.aggregation.model_weight import match_prevalence
from training.engine.data.json_lines import numbered_lines
from training.engine.data.pictures import Tile
from training.engine.encoders import efficientnet, seen_tiles, tile_features
from training.engine.encoders.efficientnet import load_efficientnet
from training.engine.encoders.seen_tiles import SeenTiles
from training.engine.encoders.text import TextEncoder
from training.engine.encoders.tile_features import BLOCK, TileFeatures, see
from training.engine.evaluation import zero_shot_scores
from training.engine.evaluation.log_odds import LARGEST
from training.engine.evaluation.questions import box_of
from training.engine.evaluation.text_targets import RIDGE
from training.engine.evaluation.zero_shot_scores import ConceptScores, sampled
from training.engine.files import TrainingError, array_draft, write_tensors

COMPONENTS = 384  # of the features that are written
SCALE = 3.0  # log-odds that a deviation of the target is worth


@dataclass(frozen=True)
class Subjects:
    """Tiles with the texts that somebody gave them, and concepts with prevalences, by id."""

    tiles: dict[int, Tile] = field(default_factory=dict)
    texts: dict[int, list[str]] = field(default_factory=dict)
    concepts: dict[int, tuple[str, float]] = field(default_factory=dict)


def read_subjects(path: Path) -> Subjects:
    """Read a tile or a concept a line; raise ``TrainingError`` with the line that is neither.

    A line is ``{"tile", "image", "box", "texts"}``, or ``{"concept", "text", "prevalence"}``.
    """
    subjects = Subjects()
    for number, line in numbered_lines(path):
        try:
            value = json.loads(line)
            if "concept" in value:
                about = str(value["text"]), float(value["prevalence"])
                subjects.concepts[int(value["concept"])] = about
            else:
                tile = int(value["tile"])
                subjects.tiles[tile] = Path(value["image"]), box_of(value.get("box"))
                if value["texts"]:
                    subjects.texts[tile] = [str(text) for text in value["texts"]]
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise TrainingError(f"Line {number} of {path} is not a tile or a concept.") from None
    return subjects


def predict(
    subjects: Subjects,
    encoder: TextEncoder,
    cache: Path,
    *,
    features: Path,
    log_odds: Path,
    seen_elsewhere: Path | None = None,
) -> int:
    """Write the features and log-odds of all tiles; return the number of pairs.

    ``features`` gets what `predictions.predict` writes: `images` (T, E) are principal components of
    what the encoder sees, `texts` (C, E) the directions in which concepts' scores rise.
    ``log_odds`` (C, T) is float16 (.npy), NaN where a picture cannot be read. What was seen is kept
    in ``cache``: whoever was killed goes on. Tiles that were seen elsewhere (a folder of files) are
    not looked at. Raise ``TrainingError`` where the network is missing, or a file is no good.
    """
    network = load_efficientnet()
    tiles, concepts = sorted(subjects.tiles), sorted(subjects.concepts)
    phrases = [subjects.concepts[concept][0] for concept in concepts]
    texts = {row: subjects.texts[tile] for row, tile in enumerate(tiles) if tile in subjects.texts}
    with tempfile.TemporaryDirectory(dir=features.parent) as work:
        pictures = [subjects.tiles[tile] for tile in tiles]
        others = SeenTiles(seen_elsewhere, tile_features.IDENTITY)
        file = Path(work) / "seen.npy"
        seen = see(pictures, network, cache, file, ids=tiles, seen=others)
        scores = zero_shot_scores.fit(
            seen, texts, phrases, network=network, encoder=encoder, cache=cache
        )
        images = _components(seen)
        with array_draft(log_odds, (len(concepts), len(tiles)), np.float16) as out:
            _fill(out, seen, scores)
            for row, concept in zip(out, concepts, strict=True):
                _match(row, subjects.concepts[concept][1])
            directions = _directions(images, out, sampled(seen.usable))
    tensors = {"tiles": torch.tensor(tiles, dtype=torch.int64), "images": images}
    tensors |= {"concepts": torch.tensor(concepts, dtype=torch.int64), "texts": directions.half()}
    tensors["learned"] = torch.zeros(0, dtype=torch.int64)  # it was trained on nobody's answers
    write_tensors(features, tensors, {"encoder": efficientnet.NAME})
    return len(tiles) * len(concepts)


def look(subjects: Subjects, cache: Path, out: Path) -> int:
    """Write what the frozen encoder sees of tiles (`seen_tiles`); return how many there are.

    It is kept in ``cache``, too. Raise ``TrainingError`` where the network is missing.
    """
    tiles = sorted(subjects.tiles)
    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        pictures = [subjects.tiles[tile] for tile in tiles]
        seen = see(pictures, load_efficientnet(), cache, Path(work) / "seen.npy")
        roots = torch.from_numpy(np.array(seen.roots))
        seen_tiles.write(out, tile_features.IDENTITY, tiles, roots, seen.keys)
    return len(tiles)


def _fill(out: NDArray[np.float16], seen: TileFeatures, scores: ConceptScores) -> None:
    """Write the log-odds (C, T), block by block, NaN where a picture cannot be read."""
    for start in range(0, out.shape[1], BLOCK):
        rows = np.arange(start, min(start + BLOCK, out.shape[1]))
        out[:, start : start + BLOCK] = (SCALE * scores.of(seen.rows(rows))).T.numpy()
    out[:, scores.rows] = (SCALE * scores.out_of_fold).T.numpy()


def _match(log_odds: NDArray[np.float16], prevalence: float) -> None:
    """Move log-odds (T,) so that their mean probability is the prevalence."""
    known = np.isfinite(log_odds)
    if known.any():
        moved = match_prevalence(log_odds[known].astype(np.float64), prevalence)
        log_odds[known] = moved.clip(-LARGEST, LARGEST)


def _components(seen: TileFeatures) -> Tensor:
    """Return the features' principal components (T, E) in float16, a third as wide as they are."""
    sample = seen.rows(sampled(seen.usable))
    mean = sample.mean(0).nan_to_num(0)
    axes = _principal_axes(sample - mean)
    components = torch.empty(len(seen.roots), COMPONENTS, dtype=torch.half)
    for start in range(0, len(components), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(components)))
        components[start : start + BLOCK] = ((seen.rows(rows) - mean) @ axes).half()
    return components


def _principal_axes(centred: Tensor) -> Tensor:
    """Return the first COMPONENTS axes (D, COMPONENTS) of rows (n, D), 0 where there are fewer."""
    if len(centred) < centred.shape[1]:
        axes = torch.linalg.svd(centred, full_matrices=False).Vh.T
    else:
        axes = torch.linalg.eigh((centred.T @ centred).double()).eigenvectors.flip(1).float()
    return pad(axes[:, :COMPONENTS], (0, max(0, COMPONENTS - axes.shape[1])))


def _directions(images: Tensor, log_odds: NDArray[np.float16], rows: NDArray[np.intp]) -> Tensor:
    """Return unit rows (C, E): the direction of features in which each concept's scores rise."""
    if not len(rows):
        return torch.zeros(len(log_odds), images.shape[1])
    x = images[torch.from_numpy(rows)].double()
    y = torch.from_numpy(log_odds[:, rows].astype(np.float64)).T
    penalty = RIDGE * torch.eye(x.shape[1], dtype=torch.double)
    slopes = torch.linalg.solve(x.T @ x + penalty, x.T @ (y - y.mean(0))).T
    return normalize(slopes.float(), dim=1)

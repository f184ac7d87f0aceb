"""Write ``report.html`` of a run folder: one page that needs nothing else, and trusts no text."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from training.engine import progress
from training.engine.data.pictures import DRAWN, Pixels, load, png
from training.engine.data.rows import Snapshot
from training.engine.data.snapshot import read_snapshot
from training.engine.evaluation.near_copies import NEAR_COPY
from training.engine.files import TrainingError, read_json, write_bytes
from training.engine.latents.neighbours import Neighbours
from training.engine.learnt import learnt_from_drawings
from training.engine.recipes import data_of
from training.engine.report import metrics_table, page, plots
from training.engine.report.page import Comparison, Strip

STEPS = 6  # sample grids that are shown, at most
COLUMNS = 3  # samples of a prompt in each
COMPARISONS = 12  # samples beside their nearest training pictures
NEAREST = 3
THUMBNAIL = 72  # pixels
PAIRS = "pairs"  # the recipe whose grids show pairs


def machine() -> str:
    """Return the machine in words: its processor, threads, and GPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    processor = (names or [platform.processor() or platform.machine()])[0]
    count = torch.get_num_threads()
    words = f"{processor}, {count} thread{'s' if count > 1 else ''}"
    return f"{words}; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else words


def write_report(folder: Path) -> Path:
    """Write ``report.html`` of the run, whole or not at all; what is missing is left out.

    Raise ``TrainingError`` where ``folder`` is no run folder.
    """
    run_config = read_json(folder / "config.json")
    if not isinstance(run_config, dict) or "recipe" not in run_config:
        raise TrainingError(f"{folder} is not a run folder.")
    model_config = _object(folder / "model" / "config.json")
    snapshot = _snapshot(run_config)
    grids = _grids(folder)
    parts = [
        page.heading(model_config or run_config, _facts(folder, model_config, snapshot)),
        plots.curves(
            {
                "Loss": progress.curve(folder),
                "Pictures a second": _smoothed(progress.curve(folder, "images_per_second")),
            }
        ),
        metrics_table.table(progress.metrics(folder)),
        *_samples(grids, folder, snapshot, str(run_config["recipe"])),
        page.config("What was asked for", run_config),
        page.config("The model", model_config.get("network")),
    ]
    path = folder / "report.html"
    write_bytes(path, page.whole(f"{run_config['recipe']} {folder.name}", parts).encode())
    return path


def _smoothed(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return medians of seven neighbours: lines in quick succession measure next to nothing."""
    values = [value for _, value in points]
    return [
        (step, float(np.median(values[max(0, index - 3) : index + 4])))
        for index, (step, _) in enumerate(points)
    ]


def _object(path: Path) -> dict[str, Any]:
    value = progress.read_json(path)
    return value if isinstance(value, dict) else {}


def _snapshot(run_config: dict[str, Any]) -> Snapshot | None:
    try:
        snapshot = read_snapshot(Path(str(run_config.get("snapshot"))))
        return data_of(str(run_config["recipe"]), snapshot)
    except (TrainingError, OSError, KeyError):
        return None


def _facts(folder: Path, config: dict[str, Any], snapshot: Snapshot | None) -> dict[str, str]:
    """Return what the run was made of, for the top of the page."""
    facts = {"Prompts encoded by": _text(config.get("clip"))}
    if snapshot:
        rows = [*snapshot.train, *snapshot.test]
        captioned = sum(bool(row.captions) for row in rows)
        noun = PAIRS if all(row.pair for row in rows) else "pictures"
        facts["Snapshot"] = (
            f"{len(snapshot.train):,} {noun} to learn from, {len(snapshot.test):,} held out; "
            f"{captioned:,} with captions, {len(snapshot.concepts):,} concepts"
        )
    facts["People’s verdicts on drawings"] = learnt_from_drawings(config)
    facts |= _hashes(config, snapshot)
    facts["Steps"] = f"{config.get('steps', '')}"
    facts["Seconds of training"] = f"{progress.metrics(folder).get('training_seconds', '')}"
    facts["Seed"] = f"{config.get('seed', '')}"
    facts["Code"] = str(config.get("code", ""))
    facts["Machine"] = str(config.get("machine", ""))
    return {name: value for name, value in facts.items() if value}


def _hashes(config: dict[str, Any], snapshot: Snapshot | None) -> dict[str, str]:
    """Return the hash of the snapshot; of data that is none, that of what was read of it."""
    if own := config.get("snapshot_sha256") or (snapshot and snapshot.sha256):
        return {"Snapshot's hash": str(own)}
    read = config.get("data_sha256") or (snapshot and snapshot.digest)
    return {"Hash of pictures and texts": str(read)} if read else {}


def _text(value: Any) -> str:
    if not isinstance(value, dict):
        return ""
    return ", ".join(f"{value[key]}" for key in ("kind", "model", "identity") if value.get(key))


@dataclass(frozen=True)
class _Grid:
    """A sample grid, cut into pictures (prompts, columns, s, s, 3)."""

    step: int
    pictures: Pixels


def _grids(folder: Path) -> list[_Grid]:
    """Return at most ``STEPS`` grids, evenly spread; leave out files that are no such grid."""
    names, rows = progress.samples(folder), len(progress.prompts(folder))
    last = len(names) - 1
    chosen = sorted({round(i * last / (STEPS - 1)) for i in range(STEPS)}) if names else []
    grids = []
    for name in (names[index] for index in chosen):
        try:
            with Image.open(folder / "samples" / name) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, ValueError, Image.DecompressionBombError):
            continue
        side = len(pixels) // rows if rows else 0
        if side and len(pixels) == side * rows and pixels.shape[1] % side == 0:
            cut = pixels.reshape(rows, side, -1, side, 3).transpose(0, 2, 1, 3, 4)
            grids.append(_Grid(int(name.removesuffix(".png")), cut))
    return grids


def _samples(
    grids: Sequence[_Grid], folder: Path, snapshot: Snapshot | None, recipe: str
) -> list[str]:
    """Return what the model drew over time, and beside what it is to be compared with."""
    strips = _strips(grids, folder)
    if recipe == PAIRS:
        return [page.strips(strips, page.SAME_PAIRS), page.pairs(_pairs(grids, folder))]
    return [page.strips(strips), _nearest(grids, folder, snapshot)]


def _pairs(grids: Sequence[_Grid], folder: Path) -> list[Strip]:
    """Return the last row of each watched pair: the first half, drawings, and the true one."""
    return [
        Strip(name, dict(enumerate(_row_of_pair(grid.pictures[row]))))
        for grid in grids[-1:]
        for row, name in enumerate(progress.prompts(folder))
    ]


def _row_of_pair(pictures: Pixels) -> list[bytes]:
    """Return PNGs of a first half, drawings, which are marked, and a true second half."""
    first, *drawn, second = pictures
    return [png(first), *(png(picture, DRAWN) for picture in drawn), png(second)]


def _strips(grids: Sequence[_Grid], folder: Path) -> list[Strip]:
    """Return some of each prompt's samples at each step, side by side."""
    return [
        Strip(prompt, {grid.step: _beside(grid.pictures[row, :COLUMNS]) for grid in grids})
        for row, prompt in enumerate(progress.prompts(folder))
        if grids
    ]


def _beside(pictures: Pixels) -> bytes:
    return png(np.concatenate(list(pictures), 1), DRAWN)


def _nearest(grids: Sequence[_Grid], folder: Path, snapshot: Snapshot | None) -> str:
    """Return the last samples of the prompts in turn, each with its nearest training pictures."""
    if not grids or not snapshot:
        return ""
    try:
        neighbours = Neighbours.load(folder / "model")
    except TrainingError:
        return ""
    prompts, last = progress.prompts(folder), grids[-1].pictures
    places = [(row, column) for column in range(last.shape[1]) for row in range(len(prompts))]
    places = places[:COMPARISONS]
    pictures: Pixels = np.stack([last[place] for place in places])
    distances, indices = neighbours.nearest(pictures, NEAREST)
    paths = {name: row.path for row in snapshot.train for name in (row.path.name, row.key)}
    comparisons = []
    for (row, _), picture, distance, near in zip(places, pictures, distances, indices, strict=True):
        names = [neighbours.names[index] for index in near.tolist()]
        shown = [(name, _thumbnail(paths[name])) for name in names if name in paths]
        comparisons.append(Comparison(prompts[row], png(picture, DRAWN), shown, float(distance[0])))
    spacing = neighbours.spacing()
    return page.nearest_training_pictures(comparisons, spacing, NEAR_COPY * spacing)


def _thumbnail(path: Path) -> bytes:
    """Return a training picture as PNG, or nothing where it has gone."""
    try:
        return png(load(path, [None], THUMBNAIL)[0])
    except TrainingError:
        return b""

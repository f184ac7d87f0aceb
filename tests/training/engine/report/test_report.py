"""A run as one page: whole without a network, and safe whatever its texts say."""

import html
import json
import math
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.training.engine.gallery import Painter, write_gallery, write_model
from training.__main__ import main
from training.engine.data.pictures import png, tiled
from training.engine.data.snapshot import read_snapshot
from training.engine.report import plots
from training.engine.report.report import write_report

HOSTILE = '</title><script>alert(1)</script>"><img src=x onerror=alert(1)>\ud800'
ACTIVE = {"a", "base", "embed", "form", "iframe", "input", "link", "object", "script"}


class Reader(HTMLParser):
    """Notes the tags, attributes and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.sources: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def run(tmp_path: Path, cache: Path) -> Path:
    """Fit a run with hostile text wherever text may stand."""
    gallery = write_gallery(tmp_path / "gallery", train=3, test=1)
    manifest = json.loads((gallery / "manifest.json").read_text())
    (gallery / "manifest.json").write_text(json.dumps({**manifest, "concepts": [HOSTILE]}))
    folder = tmp_path / "run"
    write_model(folder / "model", read_snapshot(gallery), cache / "report")
    config = {"recipe": "diffusion", "preset": HOSTILE, "snapshot": str(gallery)}
    (folder / "config.json").write_text(json.dumps({**config, "options": {HOSTILE: HOSTILE}}))
    prompts = [HOSTILE, "a red square", ""]
    (folder / "prompts.json").write_text(json.dumps(prompts))
    (folder / "samples").mkdir()
    for step in (10, 20):
        drawn = Painter().sample(["a red square"] * 12, list(range(12)))
        (folder / "samples" / f"{step:06}.png").write_bytes(png(tiled(drawn, 4)))
    figures = {f"kid@{HOSTILE}": 0.2, "near_copies": 0.5, "near_copies_low": 0.1}
    figures |= {"near_copies_high": 0.7, "near_copies_real": 0.1, "training_seconds": 3.5}
    (folder / "metrics.json").write_text(json.dumps(figures))
    lines = [
        {"stage": "train", "step": i, "steps": 20, "loss": 3 / i, "images_per_second": 9.0 * i}
        for i in range(1, 21)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "progress.jsonl").write_text(text)
    return folder


def test_the_page_shows_curves_figures_samples_and_what_they_are_like(run: Path) -> None:
    page = write_report(run).read_text("utf-8")
    read = Reader(page)
    texts = " ".join(read.texts)
    assert page.count('class="curve"') == 2
    assert "how many pictures nearly copy one it learnt from" in texts
    assert "10% to 70%" in texts
    assert "step 10" in texts and "step 20" in texts
    assert "Beside the nearest training pictures" in texts
    assert page.count("<img") == 3 * 2 + 12 * (1 + 3)
    assert "45 pictures to learn from, 15 held out" in texts


def test_the_snapshot_has_the_hash_of_its_manifest(run: Path) -> None:
    snapshot = Path(json.loads((run / "config.json").read_text())["snapshot"])
    manifest = json.loads((snapshot / "manifest.json").read_text())
    assert "Snapshot's hash" not in html.unescape(write_report(run).read_text("utf-8"))
    (snapshot / "manifest.json").write_text(json.dumps({**manifest, "sha256": "5c" * 32}))
    texts = Reader(write_report(run).read_text("utf-8")).texts
    assert texts[texts.index("Snapshot's hash") + 1 :][:2].count("5c" * 32) == 1


def test_no_text_becomes_markup_and_nothing_is_loaded_from_elsewhere(run: Path) -> None:
    read = Reader(write_report(run).read_text("utf-8"))
    assert not read.tags & ACTIVE
    assert not any(name.startswith("on") for name in read.attributes)
    assert all(source.startswith("data:image/png;base64,") for source in read.sources)
    assert any("<script>alert(1)</script>" in text for text in read.texts)


def test_what_a_run_has_not_got_yet_is_left_out(run: Path) -> None:
    for name in ("metrics.json", "progress.jsonl", "prompts.json"):
        (run / name).unlink()
    shutil.rmtree(run / "model")
    texts = " ".join(Reader(write_report(run).read_text("utf-8")).texts)
    assert "What it is worth" not in texts
    assert "What was asked for" in texts


def test_grids_that_are_broken_or_of_other_prompts_are_left_out(run: Path) -> None:
    (run / "samples" / "000010.png").write_bytes(b"no picture")
    (run / "samples" / "000030.png").write_bytes(png(np.zeros((10, 7, 3), np.uint8)))
    texts = " ".join(Reader(write_report(run).read_text("utf-8")).texts)
    assert "step 20" in texts
    assert "step 10" not in texts and "step 30" not in texts


def test_a_snapshot_that_has_gone_leaves_the_rest(run: Path) -> None:
    shutil.rmtree(run.parent / "gallery")
    texts = " ".join(Reader(write_report(run).read_text("utf-8")).texts)
    assert "step 20" in texts
    assert "Beside the nearest" not in texts


def test_a_folder_that_is_no_run_ends_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text("[]")
    assert main(["report", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0, 0.5, 1]),
        (0.13, 8.2, [0, 5, 10]),
        (-2.0, 3.0, [-2, 0, 2, 4]),
        (7.0, 7.0, [6, 8]),
    ],
)
def test_axes_end_on_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert plots.round_numbers(low, high) == ticks


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_points_are_marked_inside_the_plot(count: int) -> None:
    page = plots.curves({"Loss": [(step, 1 / step) for step in range(1, count + 1)]})
    places = re.findall(r'<circle class="value" cx="([\d.]+)" cy="([\d.]+)"', page)
    assert len(places) == count
    assert all(plots.LEFT <= float(x) <= plots.WIDTH for x, _ in places)
    assert all(plots.TOP <= float(y) <= plots.HEIGHT - plots.BOTTOM for _, y in places)


@pytest.mark.parametrize("value", [0.0, -2.0, 5.0])
def test_a_flat_curve_has_room_above_and_below(value: float) -> None:
    page = plots.curves({"Loss": [(1, value), (2, value)]})
    heights = {y for _, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', page)}
    assert len(heights) == 1
    assert plots.TOP < float(heights.pop()) < plots.HEIGHT - plots.BOTTOM


def test_what_is_no_number_is_left_out_and_nothing_is_plotted_of_it_alone() -> None:
    assert plots.curves({"Loss": [], "Speed": [(1, math.nan), (2, math.inf)]}) == ""
    page = plots.curves({"Loss": [(1, 2.0), (2, math.nan), (3, 1.0)]})
    assert page.count("<circle") == 2 and "nan" not in page


def test_a_run_that_lost_steps_and_resumed_is_plotted_in_two_pieces() -> None:
    steps = [*range(1, 10), *range(100, 110)]
    page = plots.curves({"Loss": [(step, 1 / step) for step in steps]})
    (path,) = re.findall(r'class="curve" d="([^"]*)"', page)
    assert path.count("M") == 2

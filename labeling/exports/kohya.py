"""The layout of kohya's sd-scripts, which most LoRA trainers read.

`NAME.webp` beside `NAME.txt`, and a `dataset.toml` that names the training folder. The text is
the caption followed by the keywords, separated by commas: the first part stays in front, the
rest is shuffled by the trainer.
"""

import shutil
from pathlib import Path
from typing import Any

from labeling import snapshot_folder
from labeling.snapshot_folder import SPLITS

DATASET = """\
# Run the trainer from this folder, with --dataset_config=dataset.toml
[general]
caption_extension = ".txt"
shuffle_caption = true
keep_tokens = 1

[[datasets]]
resolution = {resolution}
enable_bucket = true
batch_size = 1

  [[datasets.subsets]]
  image_dir = "train"
  num_repeats = 1
"""


def caption(row: dict[str, Any]) -> str:
    """Return the text for an image's sidecar; empty where nothing is known of it."""
    parts = ([row["text"]] if row["text"] else []) + row["tags"]
    return ", ".join(dict.fromkeys(" ".join(part.replace(",", " ").split()) for part in parts))


def write(snapshot: Path, out: Path) -> None:
    """Copy each image with its sidecar, and write the trainer's `dataset.toml`."""
    longest = 0
    for split in SPLITS:
        for row in snapshot_folder.read_rows(snapshot, split):
            source = snapshot / split / row["file_name"]
            target = out / split / row["file_name"]
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source, target)
            target.with_suffix(".txt").write_text(caption(row), encoding="utf-8")
            longest = max(longest, row["width"], row["height"])
    resolution = min(1024, max(64, -(-longest // 64) * 64))
    (out / "dataset.toml").write_text(DATASET.format(resolution=resolution), encoding="utf-8")


def count(out: Path) -> tuple[int, int]:
    """Return how many images have a sidecar, and how many sidecars a text."""
    texts = list(out.glob("*/*.txt"))
    images = [p for p in out.glob("*/*") if p.suffix != ".txt" and p.with_suffix(".txt").exists()]
    return len(images), sum(bool(path.read_text(encoding="utf-8")) for path in texts)

"""Hugging Face imagefolder: `load_dataset("imagefolder", data_dir=OUT)`.

A snapshot is one already; the copy gets a data card. `datasets` silently drops an image without a
row, so images and rows are matched one to one when they are counted.
"""

import shutil
from pathlib import Path
from typing import Any

from labeling import snapshot_folder
from labeling.snapshot_folder import SPLITS

CARD = """\
---
pretty_name: {project}
configs:
- config_name: default
  data_files:
{splits}
---

# {project}

{pictures} pictures with {captions} captions, frozen {created}
as the Tessera snapshot `{sha256}`.

Columns: `text` (the most probable caption), `tags`, `concepts` (the probability that the picture
shows each concept, by people's answers, or where nobody was asked by what an import said, a model
and how frequent the concept is), `in_part` (those that people saw in parts of it alone), `captions`
(each with its confidence and source), `n_answers`, `license`, `source`, `generated`, `prompt`
(what a model generated it from), `width`, `height`.

So that all splits have the same types, the first row of a split in which nobody described an
image may hold placeholders: an empty caption of confidence 0, or an empty tag. Leave out captions
and tags without text.
"""


def caption(row: dict[str, Any]) -> str:
    """Return the most probable caption of a row; empty where there is none."""
    return str(row["text"])


def write(snapshot: Path, out: Path) -> None:
    """Copy the snapshot's splits and manifest, and write a data card."""
    manifest = snapshot_folder.read_manifest(snapshot)
    splits = [split for split in SPLITS if (snapshot / split).is_dir()]
    for split in splits:
        shutil.copytree(snapshot / split, out / split)
    shutil.copy2(snapshot / "manifest.json", out)
    card = CARD.format(
        project=manifest["project"],
        created=manifest["created"],
        sha256=manifest["sha256"],
        pictures=manifest["counts"]["images"],
        captions=manifest["counts"]["captions"],
        splits="\n".join(f"  - split: {s}\n    path: {s}/**" for s in splits),
    )
    (out / "README.md").write_text(card, encoding="utf-8")


def count(out: Path) -> tuple[int, int]:
    """Return how many images have both a file and a row, and how many of the rows a caption."""
    images = captioned = 0
    for split in (split for split in SPLITS if (out / split).is_dir()):
        files = {path.name for path in (out / split).iterdir()}
        for row in snapshot_folder.read_rows(out, split):
            images += row["file_name"] in files
            files.discard(row["file_name"])
            captioned += bool(caption(row))
    return images, captioned

"""How kohya's sd-scripts read a `dataset.toml` and captions: its rules, written out as checks.

Those of kohya-ss/sd-scripts, library/train_util.py at 6edbe00547bac6c2efb2d6952eb910851662cdf2 and
library/config_util.py at 063ef100648c016b6b4d804a6de6f5afab7ebd58; keys are those that
config_util.py at 025347214d76 (2024) knows as well. The code is no package and is not used here.
"""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
DATASET_KEYS = {
    "batch_size": int,
    "bucket_no_upscale": bool,
    "bucket_reso_steps": int,
    "enable_bucket": bool,
    "max_bucket_reso": int,
    "min_bucket_reso": int,
    "resolution": int,
}
SUBSET_KEYS = {
    "caption_extension": str,
    "enable_wildcard": bool,
    "keep_tokens": int,
    "keep_tokens_separator": str,
    "num_repeats": int,
    "secondary_separator": str,
    "shuffle_caption": bool,
}
OWN_KEYS = {"image_dir": str, "metadata_file": str}  # of a subset alone


@dataclass(frozen=True)
class Seen:
    """A picture as the trainer sees it."""

    caption: str | None  # None: it warns, and trains without words
    repeats: int


def load(folder: Path, file: str = "dataset.toml") -> tuple[dict[str, Any], dict[Path, Seen]]:
    """Return the settings and each picture that the trainer sees, or fail as it would."""
    settings = tomllib.loads((folder / file).read_text(encoding="utf-8"))
    assert settings.keys() <= {"general", "datasets"}
    general = settings.get("general", {})
    check_keys(general, DATASET_KEYS | SUBSET_KEYS)
    seen: dict[Path, Seen] = {}
    for dataset in settings["datasets"]:
        subsets = dataset["subsets"]
        own = {key: value for key, value in dataset.items() if key != "subsets"}
        check_keys(own, DATASET_KEYS | SUBSET_KEYS)
        check_buckets(general | own)
        styles = {"metadata_file" in subset for subset in subsets}
        assert len(styles) == 1, "a dataset is of captions or of JSON, never of both"
        folders = [subset["image_dir"] for subset in subsets]
        assert len(set(folders)) == len(folders), "the second one of a folder is passed over"
        for subset in subsets:
            check_keys(subset, SUBSET_KEYS | OWN_KEYS)
            read = read_json if "metadata_file" in subset else read_captions
            seen |= read(folder, general | own | subset)
    return settings, seen


def check_keys(given: dict[str, Any], known: dict[str, type]) -> None:
    """Fail for a key that is unknown, or a value that is not exactly of its type."""
    for key, value in given.items():
        assert key in known, f"extra keys not allowed: {key}"
        assert type(value) is known[key], f"{key} is {value!r}"


def check_buckets(options: dict[str, Any]) -> None:
    """Fail where the resolution does not lie between the smallest and the largest bucket."""
    steps, resolution = options["bucket_reso_steps"], options["resolution"]
    least = options.get("min_bucket_reso", 256)
    most = options.get("max_bucket_reso", 1024)
    least, most = least - least % steps, most + -most % steps
    assert resolution >= least, "min_bucket_reso must be equal or less than resolution"
    assert resolution <= most, "max_bucket_reso must be equal or greater than resolution"
    assert steps % 8 == 0, "sides must be divisible by 8"


def pictures(image_dir: Path) -> list[Path]:
    """Return the pictures of a folder, not of those below it."""
    assert image_dir.is_dir(), f"not directory: {image_dir}"
    found = [path for path in image_dir.glob("*") if path.suffix.lower() in SUFFIXES]
    assert found, "no images"
    return found


def read_captions(folder: Path, options: dict[str, Any]) -> dict[Path, Seen]:
    """Return the pictures of a folder with the first line beside each, or all if one is drawn."""
    assert options["num_repeats"] >= 1, "a subset with less than one repeat is passed over"
    seen = {}
    for path in pictures(folder / options["image_dir"]):
        check_side(path, options)
        text = path.with_suffix(options["caption_extension"])
        caption = None
        if text.is_file():
            assert not text.read_bytes().startswith(b"\xef\xbb\xbf"), "its mark would be read"
            lines = text.read_text(encoding="utf-8").split("\n")
            lines = lines[:-1] if lines[-1] == "" else lines
            assert len(lines) > 0, f"caption file is empty: {text}"
            everything = options.get("enable_wildcard", False)
            caption = "\n".join(lines).strip() if everything else lines[0].strip()
            assert caption
        else:
            # A stem of five parts or more falls back to the one without its last four.
            parts = path.stem.split("_")
            assert len(parts) < 5 or not path.with_name("_".join(parts[:-4]) + ".txt").exists()
        seen[path] = Seen(caption, options["num_repeats"])
    return seen


def read_json(folder: Path, options: dict[str, Any]) -> dict[Path, Seen]:
    """Return the pictures that a JSON names by their paths from where the trainer runs."""
    metadata = json.loads((folder / options["metadata_file"]).read_text(encoding="utf-8"))
    assert metadata, "metadata is empty"
    seen = {}
    for key, told in metadata.items():
        assert (folder / key).is_file(), "no image"
        check_side(folder / key, options)
        assert told.keys() <= {"caption", "tags"}
        caption, tags = told.get("caption"), told.get("tags")
        if caption is None:
            caption = tags
        elif tags:
            caption = f"{caption},{tags}"
        assert caption is not None and len(caption) > 0, "caption or tag is required"
        seen[folder / key] = Seen(caption, options["num_repeats"])
    return seen


def check_side(path: Path, options: dict[str, Any]) -> None:
    """Fail where a picture that is not made larger has a bucket without any pixel."""
    if options.get("bucket_no_upscale"):
        with Image.open(path) as image:
            assert min(image.size) >= options["bucket_reso_steps"]


def tokens(caption: str, options: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return what stays in front of a caption, and what is shuffled after it."""
    separator = options.get("keep_tokens_separator")
    if separator and separator in caption:
        fixed, flexible = caption.split(separator, 1)
        fixed_tokens = [part.strip() for part in fixed.split(",") if part.strip()]
        flexible_tokens = [part.strip() for part in flexible.split(",") if part.strip()]
        return fixed_tokens, flexible_tokens
    every = [part.strip() for part in caption.strip().split(",")]
    return every[: options.get("keep_tokens", 0)], every[options.get("keep_tokens", 0) :]


def trained_on(caption: str, options: dict[str, Any]) -> tuple[str, set[str]]:
    """Return the words in front as the network is given them, and the tags after them."""
    fixed, flexible = tokens(caption, options)
    within = options.get("secondary_separator")

    def plain(text: str) -> str:
        return text.replace(within, ",") if within else text

    if not options.get("shuffle_caption"):
        return plain(caption), set()
    return plain(", ".join(fixed)), {plain(each) for each in flexible}

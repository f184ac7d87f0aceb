"""Files that data sets have beside their pictures, and that say nothing of any one picture.

Of `dataset_info.json`, `README.md` and `classnames.txt` the names of numbered classes are taken.
"""

import re
from typing import Any

from labeling.decoding import ImageRejected
from labeling.imports import texts
from labeling.imports.entries import ClassNames, Layout, Readings, Remark
from labeling.imports.members import Member
from labeling.imports.options import Options

NAMES = (
    *("license", "license.txt", "license.md", "licence.txt", "readme.txt", "readme"),
    *("state.json", "dataset_dict.json", "dataset_infos.json", "croissant.json"),
    *("labelmap.txt", "obj.data"),  # of Pascal VOC, and of YOLO
    *("checksums.txt", "sha256sums", "manifest.sha256", "zeroshot_classification_templates.txt"),
)
SUFFIXES = (
    "_stats.json",  # of img2dataset's shards
    *(".npz", ".npy", ".safetensors", ".ckpt", ".pt", ".pth"),  # what trainers keep beside pictures
    *(".toml", ".lock", ".py", ".ipynb", ".sh", ".bat", ".log"),
)
SIZE_MAX = 16 * 2**20  # bytes
PASSED_OVER = "passed over: nothing there is about one picture"
CLASSES = re.compile(r"class_label:[ \t]*\n[ \t]*names:[ \t]*\n((?:[ \t]+['\"]?\d+['\"]?:.*\n)+)")
CLASS = re.compile(r"^[ \t]+['\"]?(\d{1,9})['\"]?:[ \t]*(.*)", re.MULTILINE)


def _read(member: Member, options: Options) -> Readings:
    yield Remark(member.path, PASSED_OVER)


def _read_info(member: Member, options: Options) -> Readings:
    """Read the classes of a `dataset_info.json`, where one column numbers some."""
    try:
        info = texts.parsed(texts.decode(member.read(SIZE_MAX), options.encoding))
    except ImageRejected:
        info = None
    features = info.get("features") if isinstance(info, dict) else None
    several = [_names(each) for each in features.values()] if isinstance(features, dict) else []
    several = [names for names in several if names]
    if len(several) == 1:
        yield ClassNames(member.path, dict(enumerate(several[0])), is_remark=True)
    yield Remark(member.path, PASSED_OVER)


def _read_card(member: Member, options: Options) -> Readings:
    """Read the classes in the front matter of a data set's card, where there is one list."""
    try:
        card = texts.decode(member.read(SIZE_MAX), options.encoding).replace("\r\n", "\n")
    except ImageRejected:
        card = ""
    front = card.partition("\n---\n")[0] if card.startswith("---\n") else ""
    lists = CLASSES.findall(f"{front}\n")
    if len(lists) == 1:
        names = {int(number): name.strip().strip("'\"") for number, name in CLASS.findall(lists[0])}
        yield ClassNames(member.path, names, is_remark=True)
    yield Remark(member.path, PASSED_OVER)


def _read_class_names(member: Member, options: Options) -> Readings:
    """Read a name a line, as CLIP's benchmarks have them beside their shards."""
    names = texts.lines(texts.decode(member.read(SIZE_MAX), options.encoding))
    yield ClassNames(member.path, dict(enumerate(names)))


def _names(feature: Any) -> list[str]:
    if not isinstance(feature, dict):
        return []
    names = feature.get("names") if feature.get("_type") == "ClassLabel" else None
    return [str(name) for name in names] if isinstance(names, list) else []


LAYOUTS = (
    Layout("passed over", _read, suffixes=SUFFIXES, names=NAMES),
    Layout("description of a data set", _read_info, names=("dataset_info.json",)),
    Layout("card of a data set", _read_card, names=("readme.md",)),
    Layout("names of classes", _read_class_names, names=("classnames.txt",)),
)

"""The formats of exports: one file each."""

from labeling.exports.formats import (
    answers_csv,
    coco,
    croissant,
    folder,
    imagefolder,
    kohya,
    labels_csv,
    parquet,
    webdataset,
)
from labeling.exports.writer import Format

FORMATS: dict[str, Format] = {
    each.FORMAT.name: each.FORMAT
    for each in (
        kohya,
        folder,
        imagefolder,
        webdataset,
        parquet,
        coco,
        croissant,
        labels_csv,
        answers_csv,
    )
}

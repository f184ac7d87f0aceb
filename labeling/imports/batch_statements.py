"""What the source says of the pictures of a batch, as the rows of its statements."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from labeling import images
from labeling.imports import statements
from labeling.imports.asking import Stored
from labeling.imports.metadata import Metadata
from labeling.imports.plans import Plan
from labeling.imports.provenance import Provenance
from labeling.imports.text_sources import TextSources
from labeling.models import Image, Import, ImportStatement


def of_batch(
    record: Import,
    plan: Plan,
    text_sources: TextSources,
    stored: Sequence[Stored],
    metadata: Mapping[str, Metadata],
) -> dict[Image, list[ImportStatement]]:
    """Return what the source says of each image, in the order of its files."""
    rows: dict[int, Image] = {}
    rows_of: dict[Image, dict[tuple[str, int | None], ImportStatement]] = defaultdict(dict)
    for path, stored_image in stored:
        image = rows.setdefault(stored_image.image.pk, stored_image.image)
        for row in _of_path(record, plan, text_sources, image, path, metadata[path]):
            same = rows_of[image].setdefault((row.path, row.text_source_id), row)
            if same is not row:  # two long paths with the same end
                same.keywords += row.keywords
                same.captions += row.captions
    return {image: list(by_place.values()) for image, by_place in rows_of.items()}


def _of_path(
    record: Import,
    plan: Plan,
    text_sources: TextSources,
    image: Image,
    path: str,
    metadata: Metadata,
) -> Iterable[ImportStatement]:
    """Return what the source says of a path of an image, in one statement a text source."""
    class_key = plan.class_key_of(path)
    rows: dict[int | None, ImportStatement] = {}

    def row(provenance: Provenance) -> ImportStatement:
        source = text_sources.id_of(provenance)
        if source not in rows:
            rows[source] = ImportStatement(
                image=image,
                imported_by=record,
                path=images.cut_source(path),
                text_source_id=source,
                confidence=record.project.import_confidence,
            )
        return rows[source]

    own = row(metadata.provenance)
    own.license = images.cut_license(metadata.license)
    own.class_keys = statements.class_keys([class_key], metadata.keywords)
    own.class_set = plan.class_set_of(path)
    for number, keyword in enumerate(images.clean_keywords(metadata.keywords)):
        row(metadata.provenance_of_keyword(number)).keywords.append(keyword)
    for number, caption in enumerate(metadata.captions):
        row(metadata.provenance_of_caption(number)).captions.append(caption)
    return rows.values()

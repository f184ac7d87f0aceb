"""What imports state of pictures that are there already: said in turn, and kept apart.

The statement of the path that a picture came from replaces the keywords and the classes of before;
what is stated of a copy is added. `replay` says so once, for imports and for taking one back.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby

from labeling import bulk_insert, images
from labeling.models import Image, Import, ImportStatement, Question
from labeling.models.projects import name_key

ROW = ("keywords", "stated_keys", "class_set", "further_sources")  # that a statement changes
ORIGIN = ("imported_by", "source", "license", "import_confidence")  # that the first one sets

Statements = dict[int, list[ImportStatement]]  # by image id, in their order


def by_image(image_ids: Collection[int]) -> Statements:
    """Return the statements that are kept about images."""
    kept: Statements = defaultdict(list)
    for row in ImportStatement.objects.filter(image__in=image_ids).order_by("pk"):
        kept[row.image_id].append(row)
    return kept


def add(record: Import, rows_of: Mapping[Image, Sequence[ImportStatement]]) -> list[Image]:
    """Let an import state something of images that are there; return those that changed.

    They are still to be saved. rows_of: what it states, path by path, in the order of its files;
    what it has stated already is passed over. Statements are kept where another import speaks of
    the image as well.
    """
    kept = by_image([image.pk for image in rows_of])
    alone = [image for image in rows_of if image.pk not in kept]  # in what one import states
    ours = [image for image in alone if image.imported_by_id == record.pk]
    new = _first_statements([image for image in alone if image not in ours])
    for row in new:
        kept[row.image_id].append(row)
    changed = []
    for image, rows in rows_of.items():
        before = _values(image)
        if image in ours:
            known = {image.source, *image.further_sources}
            _replay(image, [row for row in rows if row.path not in known])
        else:
            own = [row for row in kept[image.pk] if row.imported_by_id == record.pk]
            known = {path for row in own for path in (row.path, *row.further_paths)}
            added = [row for row in rows if row.path not in known]
            new += added
            replay(image, [*kept[image.pk], *added])
        if _values(image) != before:
            changed.append(image)
    bulk_insert.insert_with_ids(new)
    return changed


def replay(image: Image, rows: Sequence[ImportStatement]) -> None:
    """Set an image as statements describe it that came in this order; it is to be saved."""
    first, *others = rows
    image.imported_by_id, image.source = first.imported_by_id, first.path
    image.license, image.import_confidence = first.license, first.confidence
    image.further_sources = list(first.further_paths)
    image.keywords, image.stated_keys, image.class_set_id = [], [], None
    images.set_statements(
        image,
        keywords=first.keywords,
        class_keys=first.class_keys,
        class_set_id=first.class_set_id,
    )
    _replay(image, others)


def _replay(image: Image, rows: Sequence[ImportStatement]) -> None:
    """Add statements; those of one import about the image's own path come before its others."""
    for _, group in groupby(rows, key=lambda row: row.imported_by_id):
        for row in sorted(group, key=lambda row: row.path != image.source):
            own = row.path == image.source
            images.set_statements(
                image,
                keywords=row.keywords if own and row.keywords else [*image.keywords, *row.keywords],
                class_keys=row.class_keys,
                class_set_id=row.class_set_id if own else None,
            )
            images.add_sources(image, [row.path, *row.further_paths])


def _first_statements(rows: Sequence[Image]) -> list[ImportStatement]:
    """Return what images of which nothing is kept are so far, each in one statement."""
    captions = _captions(rows)
    return [_first_statement(image, captions[image.pk]) for image in rows]


def _first_statement(image: Image, captions: list[str]) -> ImportStatement:
    of_keywords = set(map(name_key, image.keywords))
    return ImportStatement(
        image=image,
        imported_by_id=image.imported_by_id,
        path=image.source,
        further_paths=list(image.further_sources),
        keywords=list(image.keywords),
        class_keys=[key for key in image.stated_keys if key not in of_keywords],
        class_set_id=image.class_set_id,
        captions=captions,
        license=image.license,
        confidence=image.import_confidence,
    )


def _captions(rows: Iterable[Image]) -> dict[int, list[str]]:
    """Return the captions that imports gave images, by image id."""
    asked = Question.objects.filter(
        kind=Question.Kind.CAPTION,
        source=Question.Source.IMPORT,
        grid=1,
        tile__image__in=[row.pk for row in rows],
    )
    captions: dict[int, list[str]] = defaultdict(list)
    for image, text in asked.order_by("pk").values_list("tile__image", "text"):
        captions[image].append(text)
    return captions


def _values(image: Image) -> tuple[object, ...]:
    return (*stated(image), image.further_sources)


def stated(image: Image) -> tuple[object, ...]:
    """Return what imports state that an image shows."""
    return list(image.keywords), list(image.stated_keys), image.class_set_id

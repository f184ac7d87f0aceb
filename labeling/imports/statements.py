"""What imports state of pictures of which more than one thing is said, kept apart.

Of each path of a picture, the latest statement that has captions rules the captions, and the latest
that has keywords the keywords: so a source that is imported again corrects its texts, and one
without texts leaves those of before. What is stated of the picture's copies, at other paths, is
added; but a file that was moved to the folder of another class is of that alone. `replay` says so
once, for imports and for taking one back.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from labeling import bulk_insert, images
from labeling.imports.entries import Kind
from labeling.models import ClassSet, Concept, Image, Import, ImportStatement, Question
from labeling.models.projects import name_key

ROW = (  # that a statement changes
    *("keywords", "stated_keys", "class_set", "further_sources", "license", "text_source"),
)
ORIGIN = ("imported_by", "source", "import_confidence")  # that the first one sets

Statements = dict[int, list[ImportStatement]]  # by image id, in their order
Rows = Sequence[ImportStatement]


class Retracted(NamedTuple):
    """A text of an earlier import that none states any more, and of which path it was."""

    path: str
    kind: Kind
    text: str


@dataclass
class Added:
    """What became of images of which an import states something."""

    changed: list[Image] = field(default_factory=list)  # which are to be saved
    restated: list[Image] = field(default_factory=list)  # those that are said to show other things
    rows: Statements = field(default_factory=dict)  # all that is kept of those of which it is
    retracted: list[Retracted] = field(default_factory=list)


def by_image(image_ids: Collection[int]) -> Statements:
    """Return the statements that are kept about images."""
    kept: Statements = defaultdict(list)
    for row in ImportStatement.objects.filter(image__in=image_ids).order_by("pk"):
        kept[row.image_id].append(row)
    return kept


def of_image(image: Image) -> Rows:
    """Return what imports state of an image, in their order; where one is all, it is not kept."""
    return by_image([image.pk]).get(image.pk) or _of_images([image])[image.pk]


def add(record: Import, rows_of: Mapping[Image, Rows]) -> Added:
    """Let an import state something of images that are stored.

    rows_of: what it states, path by path, in the order of its files; a path of which it has stated
    something already is passed over.
    """
    kept = by_image([image.pk for image in rows_of])
    alone = [image for image in rows_of if image.pk not in kept]
    stored = _of_images([image for image in alone if not _is_whole(image, rows_of[image])])
    added, new = Added(), list[ImportStatement]()
    for image, rows in rows_of.items():
        before = kept.get(image.pk) or stored.get(image.pk, [])
        further = _further(record, image, before, rows)
        if image.pk not in kept and not _is_more([*before, *further]):
            continue
        new += [*before, *further] if image.pk not in kept else further
        added.rows[image.pk] = [*before, *further]
        _replay_into(added, record, image)
    bulk_insert.insert_with_ids(new)
    return added


def complete(record: Import, rows_of: Mapping[Image, Rows]) -> None:
    """Let the rows of an import that goes on hold the captions that nobody was asked about yet.

    Where another import spoke of the same images meanwhile, they were written without.
    """
    captions_of = {
        (image.pk, row.path, row.text_source_id): row.captions
        for image, rows in rows_of.items()
        for row in rows
        if row.captions
    }
    kept = ImportStatement.objects.filter(
        image__in=[image.pk for image in rows_of], imported_by=record, captions=[]
    )
    changed = []
    for row in kept:
        row.captions = captions_of.get((row.image_id, row.path, row.text_source_id), [])
        if row.captions:
            changed.append(row)
    ImportStatement.objects.bulk_update(changed, ["captions"])


def _is_whole(image: Image, rows: Rows) -> bool:
    """Whether these rows begin with all that the image's own row says: it has just been stored."""
    return image.imported_by_id == rows[0].imported_by_id and any(
        row.path == image.source for row in rows
    )


def _further(record: Import, image: Image, before: Rows, rows: Rows) -> list[ImportStatement]:
    """Return the rows about paths of which the import has stated nothing yet, in their order.

    Of an image that the import brought, the path that it came from is the first.
    """
    known = {row.path for row in before if row.imported_by_id == record.pk}
    further = [row for row in rows if row.path not in known]
    if image.imported_by_id != record.pk:
        return further
    return sorted(further, key=lambda row: row.path != image.source)


def _is_more(rows: Rows) -> bool:
    """Whether an image's own row does not say all: of one path, with keywords of one source."""
    places = {(row.path, row.imported_by_id) for row in rows}
    of_another = any(row.keywords and row.text_source_id != rows[0].text_source_id for row in rows)
    return len(places) > 1 or of_another


def _replay_into(added: Added, record: Import, image: Image) -> None:
    """Set an image by all statements; note whether it changed, and what is stated no more."""
    rows, before, shown = added.rows[image.pk], _values(image), stated(image)
    replay(image, rows)
    if _values(image) != before:
        added.changed.append(image)
    if stated(image) != shown:
        added.restated.append(image)
    others = [row for row in rows if row.imported_by_id != record.pk]
    earlier, now = _texts(others), _texts(rows)
    added.retracted += [
        Retracted(path, kind, text)
        for (kind, text), path in earlier.items()
        if (kind, text) not in now
    ]


def replay(image: Image, rows: Rows) -> None:
    """Set an image as statements describe it that came in this order; it is to be saved."""
    first, own = rows[0], [row for row in rows if row.path == rows[0].path]
    image.imported_by_id, image.source = first.imported_by_id, first.path
    image.import_confidence = first.confidence
    image.further_sources = [path for path in _by_path(rows) if path != first.path]
    image.license = next((row.license for row in _licensing(own)), "")
    image.text_source_id = next(
        (row.text_source_id for row in _latest(own, lambda row: row.text_source_id)), None
    )
    image.class_set_id = next(
        (row.class_set_id for row in _latest(own, lambda row: row.class_set_id)), None
    )
    image.keywords = images.clean_keywords(_keywords(rows))
    image.stated_keys = images.stated_keys(
        image.keywords, (key for row in _classing(rows) for key in row.class_keys)
    )


def is_all(rows: Rows) -> bool:
    """Whether an image's own row, and its captions, say all that these statements do."""
    return not _is_more(rows)


def captions(rows: Rows) -> dict[str, ImportStatement]:
    """Return the captions that statements give an image, by the first that rules and has it."""
    given: dict[str, ImportStatement] = {}
    for row in _ruling(rows, lambda row: row.captions):
        for caption in row.captions:
            given.setdefault(caption, row)
    return given


def of_keywords(rows: Rows) -> Rows:
    """Return the statements that rule an image's keywords."""
    return _ruling(rows, lambda row: row.keywords)


def saying(rows: Rows) -> tuple[object, ...]:
    """Return all that statements make of an image, to be compared."""
    keys = {key for row in rows for key in row.class_keys}
    sets = {row.class_set_id for row in rows if row.class_set_id}
    return set(_texts(rows)) if rows else set(), keys, sets


def class_keys(keys: Iterable[str], keywords: Iterable[str]) -> list[str]:
    """Return the keys of classes that no keyword of the same statement names."""
    of_keywords = set(map(name_key, keywords))
    return [key for key in keys if key and key not in of_keywords]


def _texts(rows: Rows) -> dict[tuple[Kind, str], str]:
    """Return the paths of the texts that statements give an image, by their kind and text."""
    texts = {(Kind.CAPTION, text): row.path for text, row in captions(rows).items()}
    for row in of_keywords(rows):
        texts |= {(Kind.KEYWORD, keyword): row.path for keyword in row.keywords}
    own = [row for row in rows if row.path == rows[0].path]
    texts |= {(Kind.LICENSE, row.license): row.path for row in _licensing(own)}
    return texts


def _licensing(own: Rows) -> Rows:
    """Return the statement, of those of an image's first path, that rules its license."""
    return _latest(own, lambda row: row.license)[:1]


def _keywords(rows: Rows) -> list[str]:
    return [keyword for row in of_keywords(rows) for keyword in row.keywords]


def _ruling(rows: Rows, value: Callable[[ImportStatement], object]) -> Rows:
    """Return, path by path, the rows that rule a value: of the latest import that has any."""
    return [row for of_path in _by_path(rows).values() for row in _latest(of_path, value)]


def _latest(rows: Rows, value: Callable[[ImportStatement], object]) -> Rows:
    """Return the rows of one path that have a value, of the latest import that has any."""
    having = [row for row in rows if value(row)]
    return [row for row in having if row.imported_by_id == having[-1].imported_by_id]


def _classing(rows: Rows) -> Rows:
    """Return the rows whose classes count: all but those of files that were moved since.

    A file was moved where a later import has the same picture under the same name in the folder of
    another class, says that a picture is of one of both, and has it at the former path no longer.
    """
    classed = [row for row in rows if row.class_keys]
    if len({row.imported_by_id for row in classed}) < 2:
        return classed
    return [row for number, row in enumerate(classed) if not _is_moved(row, classed[number + 1 :])]


def _is_moved(row: ImportStatement, later: Rows) -> bool:
    name = row.path.rpartition("/")[2]
    return any(
        each.imported_by_id != row.imported_by_id
        and each.class_keys != row.class_keys
        and each.path.rpartition("/")[2] == name
        and not any(_is_same_place(other, row, each) for other in later)
        and _is_one_of(row, each.class_set_id)
        for each in later
    )


def _is_same_place(other: ImportStatement, row: ImportStatement, moved: ImportStatement) -> bool:
    """Whether the import that has a file elsewhere has it at its former path, too."""
    return other.path == row.path and other.imported_by_id == moved.imported_by_id


def _is_one_of(row: ImportStatement, class_set: int | None) -> bool:
    """Whether a set of classes, of which a picture has one, holds the class of a row."""
    if class_set is None or row.class_set_id == class_set:
        return class_set is not None
    ids = ClassSet.objects.filter(pk=class_set).values_list("concepts", flat=True).first() or []
    concepts = Concept.objects.filter(pk__in=ids)
    return any(key in concept.keys for key in row.class_keys for concept in concepts)


def _by_path(rows: Rows) -> dict[str, list[ImportStatement]]:
    """Return rows by their path, in the order of the paths' first."""
    grouped: dict[str, list[ImportStatement]] = defaultdict(list)
    for row in rows:
        grouped[row.path].append(row)
    return grouped


def _of_images(rows: Sequence[Image]) -> Statements:
    """Return what images of which nothing is kept are so far, in one statement a source."""
    asked = _captions(rows)
    return {image.pk: _of_image(image, asked[image.pk]) for image in rows}


def _of_image(image: Image, asked: Mapping[int | None, list[str]]) -> list[ImportStatement]:
    own = ImportStatement(
        image=image,
        imported_by_id=image.imported_by_id,
        path=image.source,
        text_source_id=image.text_source_id,
        keywords=list(image.keywords),
        class_keys=class_keys(image.stated_keys, image.keywords),
        class_set_id=image.class_set_id,
        captions=asked.get(image.text_source_id, []),
        license=image.license,
        confidence=image.import_confidence,
    )
    others = [
        ImportStatement(
            image=image,
            imported_by_id=image.imported_by_id,
            path=image.source,
            text_source_id=source,
            captions=texts,
            confidence=image.import_confidence,
        )
        for source, texts in asked.items()
        if source != image.text_source_id
    ]
    return [own, *others]


def _captions(rows: Iterable[Image]) -> dict[int, dict[int | None, list[str]]]:
    """Return the captions that imports give images, by image id and text source."""
    asked = Question.objects.filter(
        kind=Question.Kind.CAPTION,
        source=Question.Source.IMPORT,
        grid=1,
        stated__isnull=False,
        tile__image__in=[row.pk for row in rows],
    )
    given: dict[int, dict[int | None, list[str]]] = defaultdict(lambda: defaultdict(list))
    columns = asked.order_by("pk").values_list("tile__image", "text_source", "text")
    for image, source, text in columns:
        given[image][source].append(text)
    return given


def _values(image: Image) -> tuple[object, ...]:
    return (*stated(image), image.further_sources, image.license, image.text_source_id)


def stated(image: Image) -> tuple[object, ...]:
    """Return what imports state that an image shows."""
    return list(image.keywords), list(image.stated_keys), image.class_set_id

"""Where texts come from: what their own row says, else what holds for their whole import."""

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import reduce
from itertools import chain
from operator import or_
from typing import Any, NamedTuple

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from labeling import unions
from labeling.batches import batched
from labeling.models import Image, Import, ImportStatement, Project, Question, TextSource, Tile
from labeling.unions import Part, RowUnion

BATCH = 2_000
FEW = 1_000  # text sources that are named one by one
IMPORTS_MAX = 1_000  # of which vendors and batches are offered to choose from …
CHOICES_MAX = 200  # … and so many of each


@dataclass(frozen=True)
class Provenance:
    """Where a text, or a picture, comes from; an empty field: nobody said it."""

    record: int = 0  # the id of its import; 0: it came without one
    name: str = ""  # of the import
    layout: str = ""  # how its file is written
    file: str = ""  # empty: a file that is named as the picture
    vendor: str = ""
    batch: str = ""
    license: str = ""
    url: str = ""
    date: str = ""  # as it is written; else the day of the import
    importer: str = ""  # who imported it
    price: str = ""  # of one text, "0.05 EUR"

    @property
    def link(self) -> str:
        """The address, where a browser may open it; else empty."""
        return self.url if self.url.startswith(("https://", "http://")) else ""

    def as_row(self) -> dict[str, str | int]:
        """Return it as a row of a snapshot holds it."""
        return {"import_id": self.record, "import": self.name, **_texts(self)}


NOWHERE = Provenance()


class Choices(NamedTuple):
    """What a project's pictures and texts may be chosen by."""

    records: list[Import]
    vendors: list[str]
    batches: list[str]
    licenses: list[str]  # of whole imports


def of(record: Import | None, source: TextSource | None = None, *, license: str = "") -> Provenance:
    """Return where something comes from that an import brought.

    source: what its own row says of it, which comes first. license: the picture's own.
    """
    if record is None:
        return replace(NOWHERE, license=license)
    own = source or TextSource()
    return Provenance(
        record=record.pk,
        name=str(record),
        layout=own.layout,
        file=own.file,
        vendor=own.vendor or record.vendor,
        batch=record.batch,
        license=own.license or license or record.license,
        url=own.url or record.url,
        date=own.date or record.created_at.date().isoformat(),
        importer=record.requested_by.get_username() if record.requested_by else "",
        price=price_of_a_text(record),
    )


def of_image(image: Image) -> list[Provenance]:
    """Return where an image and its texts come from, without repetitions, the image first."""
    stated = image.statements.select_related("imported_by__requested_by", "text_source")
    captions = Question.objects.filter(tile__image=image, text_source__isnull=False)
    sources = TextSource.objects.filter(pk__in=captions.values("text_source"))
    found = [
        of(image.imported_by, image.text_source, license=image.license),
        *(of(row.imported_by, row.text_source) for row in stated if row.imported_by),
        *map(of_text_source, sources.select_related("imported_by__requested_by")),
    ]
    return [each for each in dict.fromkeys(found) if each != NOWHERE]


def of_text_source(source: TextSource) -> Provenance:
    """Return where the texts of a text source come from."""
    return of(source.imported_by, source)


def of_questions(
    questions: QuerySet[Question], *, record: int | None = None, vendor: str = "", batch: str = ""
) -> QuerySet[Question] | RowUnion[Question]:
    """Keep the captions that come from there, and the questions about concepts of its pictures.

    record: the id of an import.
    """
    origins = []
    if record:
        origins.append(_Origin(Q(pk=record), (Q(imported_by=record),)))
    if batch:
        origins.append(_Origin(Q(batch=batch), (Q(imported_by__batch=batch),)))
    if vendor:
        of_its_import = Q(vendor="", imported_by__vendor=vendor)
        origins.append(_Origin(Q(vendor=vendor), (Q(vendor=vendor), of_its_import)))
    for origin in origins[1:]:
        questions = questions.filter(_either(origin))
    return RowUnion(questions, _question_parts(origins[0])) if origins else questions


class _Origin(NamedTuple):
    """Where questions come from: concepts of the pictures of imports, captions of text sources."""

    imports: Q
    sources: tuple[Q, ...]  # any of them


def _question_parts(origin: _Origin) -> tuple[Part, ...]:
    records = list(Import.objects.filter(origin.imports).order_by().values_list("pk", flat=True))
    texts = [_ids(TextSource.objects.filter(each).order_by()) for each in origin.sources]
    return (
        unions.part(kind=Question.Kind.CONCEPT, tile__image__imported_by__in=records),
        *(unions.part(kind=Question.Kind.CAPTION, text_source__in=each) for each in texts),
    )


def _ids(sources: QuerySet[TextSource]) -> list[int] | QuerySet[TextSource, Any]:
    """Return the ids of text sources; those of many as a subquery.

    By their ids the planner knows how many texts they have.
    """
    ids = list(sources.values_list("pk", flat=True)[: FEW + 1])
    return ids if len(ids) <= FEW else sources.values("pk")


def _either(origin: _Origin) -> Q:
    """Return the same as a condition of each question by itself."""
    sources = reduce(or_, origin.sources)
    captions = TextSource.objects.filter(sources, pk=OuterRef("text_source"))
    records = Import.objects.filter(origin.imports).order_by().values("pk")
    concepts = Tile.objects.filter(pk=OuterRef("tile"), image__imported_by__in=records)
    return Q(Exists(captions), kind="caption") | Q(Exists(concepts), kind="concept")


def of_images(
    images: QuerySet[Image],
    project: Project,
    *,
    vendor: str = "",
    batch: str = "",
    license: str = "",
) -> QuerySet[Image] | RowUnion[Image]:
    """Keep the images of a project that come from there, or of which a text does.

    license: their own, else that of their import.
    """
    if license:
        declared = Q(license="", imported_by__license=license)
        images = images.filter(Q(license=license) | declared)
    imports = Import.objects.filter(project=project).order_by()
    origins = []
    if batch:
        origins.append((imports.filter(batch=batch), TextSource.objects.none()))
    if vendor:
        own = TextSource.objects.filter(imported_by__in=imports.values("pk"), vendor=vendor)
        origins.append((imports.filter(vendor=vendor), own.order_by()))
    for records, sources in origins[1:]:
        images = images.filter(_from(records, sources))
    return RowUnion(images, _image_parts(*origins[0])) if origins else images


def _image_parts(imports: QuerySet[Import], sources: QuerySet[TextSource]) -> tuple[Part, ...]:
    """Return the images that imports brought or speak of, and those that text sources speak of."""
    statements = ImportStatement.objects.order_by().values("image")
    captions = Question.objects.filter(kind=Question.Kind.CAPTION).order_by()
    texts = _ids(sources)
    of_texts = captions.filter(text_source__in=texts).values("tile__image")
    return (
        _newest_of(imports),
        unions.part(pk__in=statements.filter(imported_by__in=imports.values("pk"))),
        unions.part(text_source__in=texts),
        unions.part(pk__in=statements.filter(text_source__in=texts)),
        unions.part(pk__in=of_texts),
    )


def _newest_of(imports: QuerySet[Import]) -> Part:
    """Return the images that imports brought, of each import the first ones."""

    def ids(images: QuerySet[Image], count: int) -> Iterable[int]:
        first = images.filter(imported_by=OuterRef("pk")).values("pk")[:count]
        return chain.from_iterable(imports.values_list(ArraySubquery(first), flat=True))

    return ids


def _from(imports: QuerySet[Import], sources: QuerySet[TextSource]) -> Q:
    """Return the same as a condition of each image by itself."""
    stated = ImportStatement.objects.filter(
        Q(imported_by__in=imports.values("pk")) | Q(text_source__in=sources.values("pk"))
    )
    captions = Question.objects.filter(kind="caption", text_source__in=sources.values("pk"))
    return (
        Q(imported_by__in=imports.values("pk"))
        | Q(text_source__in=sources.values("pk"))
        | Q(pk__in=stated.values("image"))
        | Q(pk__in=captions.values("tile__image"))
    )


def choices(project: Project) -> Choices:
    """Return what a project's pictures and texts may be chosen by, of its newest imports."""
    records = project.imports.filter(state=Import.State.DONE)
    newest = list(records.only(*_CHOSEN_BY)[:IMPORTS_MAX])
    vendors = {name for each in newest for name in (each.vendor, *each.row_vendors)}
    return Choices(
        records=newest[:CHOICES_MAX],
        vendors=sorted(vendors - {""})[:CHOICES_MAX],
        batches=sorted({each.batch for each in newest} - {""})[:CHOICES_MAX],
        licenses=sorted({each.license for each in newest} - {""})[:CHOICES_MAX],
    )


_CHOSEN_BY = "name", "vendor", "row_vendors", "batch", "license"


def costs(project: Project) -> dict[str, Decimal]:
    """Return what a project's imports cost together, by currency; those taken back included."""
    priced = project.imports.filter(price__isnull=False).order_by("currency")
    return dict(priced.values_list("currency").annotate(Sum("price")))


def price(record: Import) -> str:
    """Return what an import cost, "1,250.50 EUR"; empty: nobody knows."""
    return "" if record.price is None else amount(record.price, record.currency)


def amount(value: Decimal, currency: str) -> str:
    """Return a sum of money in words, "1,250.50 EUR"."""
    return f"{value:,.2f} {currency}".strip()


def price_of_a_text(record: Import) -> str:
    """Return what one caption or keyword of an import cost, "0.05 EUR"; empty: nobody knows."""
    texts = record.counts.get("texts", {})
    count = sum(texts.get(kind, {}).get("attached", 0) for kind in ("caption", "keyword"))
    if record.price is None or not count:
        return ""
    price = (record.price / count).quantize(Decimal("0.0001")).normalize()
    return f"{price:f} {record.currency}".strip()


def forget(sources: Collection[int | None]) -> int:
    """Delete those of these text sources from which nothing comes any more; return how many.

    sources: their ids; None is passed over.
    """
    deleted = 0
    for batch in batched(sorted({pk for pk in sources if pk is not None}), BATCH):
        rows = TextSource.objects.filter(pk__in=batch)
        for model in (Image, Question, ImportStatement):
            rows = rows.exclude(Exists(model.objects.filter(text_source=OuterRef("pk"))))
        deleted += rows.delete()[0]
    return deleted


def _texts(provenance: Provenance) -> dict[str, str]:
    values = asdict(provenance)
    return {name: text for name, text in values.items() if name not in {"record", "name"}}

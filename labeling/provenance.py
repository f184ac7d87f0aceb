"""Where texts come from: what their own row says, else what holds for their whole import."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from decimal import Decimal

from django.db.models import Exists, OuterRef

from labeling.batches import batched
from labeling.models import Image, Import, ImportStatement, Question, TextSource

BATCH = 2_000


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

    def as_row(self) -> dict[str, str | int]:
        """Return it as a row of a snapshot holds it."""
        return {"import_id": self.record, "import": self.name, **_texts(self)}


NOWHERE = Provenance()


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

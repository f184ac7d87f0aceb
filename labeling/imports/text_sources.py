"""Store where texts come from: a row for all texts of an import that say the same."""

import hashlib
from collections.abc import Iterable

from labeling import bulk_insert
from labeling.imports.metadata import Metadata
from labeling.imports.provenance import UNSAID, Provenance
from labeling.models import Import, TextSource

KEPT = 10_000  # whose ids are remembered
VENDORS_MAX = 200  # about so many are noted with the import


class TextSources:
    """The text sources of one import, made as its texts come."""

    def __init__(self, record: Import) -> None:
        self._record = record
        self._ids: dict[Provenance, int] = {}
        self.vendors: set[str] = set(record.row_vendors)

    def ensure(self, described: Iterable[Metadata]) -> None:
        """Have a row for all from which the texts of these pictures come."""
        wanted = {each for metadata in described for each in _of(metadata)} - {UNSAID}
        if len(self._ids) > KEPT:
            self._ids.clear()
        if len(self.vendors) < VENDORS_MAX:
            self.vendors |= {each.vendor for each in wanted} - {""}
        missing = {_digest(each): each for each in wanted - self._ids.keys()}
        rows = self._record.text_sources.filter(digest__in=missing)
        ids = dict(rows.values_list("digest", "pk"))
        new = [self._row(digest, missing[digest]) for digest in missing if digest not in ids]
        bulk_insert.insert_with_ids(new)
        ids |= {row.digest: row.pk for row in new}
        self._ids |= {each: ids[digest] for digest, each in missing.items()}

    def id_of(self, provenance: Provenance) -> int | None:
        """Return the id of a row that `ensure` has made; None where nothing is said."""
        return None if provenance == UNSAID else self._ids[provenance]

    def _row(self, digest: str, provenance: Provenance) -> TextSource:
        return TextSource(imported_by=self._record, digest=digest, **provenance._asdict())


def _of(metadata: Metadata) -> set[Provenance]:
    """Return all that one picture's texts come from."""
    return {
        metadata.provenance,
        *metadata.of_captions.values(),
        *metadata.of_keywords.values(),
    }


def _digest(provenance: Provenance) -> str:
    return hashlib.sha256("\0".join(provenance).encode("utf-8", "replace")).hexdigest()

"""What became of the pictures of an import and their texts, each counted once."""

from collections.abc import Collection, Mapping

from labeling import images
from labeling.decoding import ImageRejected, Picture
from labeling.images import StoredImage
from labeling.imports.metadata import Metadata
from labeling.imports.read_ahead import Batch
from labeling.imports.report import Report
from labeling.models import Import

DELETED = "was deleted during the import: import it again"


class Tally:
    """Counts in the report of the share that is imported just now."""

    def __init__(self, record: Import) -> None:
        self.record = record
        self.report: Report
        self.remarks: dict[str, str] = {}  # by path, of pictures that are still to be counted

    def count(
        self,
        batch: Batch,
        stored: Mapping[str, StoredImage],
        metadata: Mapping[str, Metadata],
        later: Collection[str],
    ) -> None:
        """Count a batch, but for what is counted later."""
        for path, sha256 in batch.sha256s.items():
            if path not in later:
                result = batch.results.get(sha256)
                reason = str(result) if isinstance(result, ImageRejected) else DELETED
                self.count_one(path, stored.get(path), metadata[path], reason)

    def note_remarks(self, batch: Batch) -> None:
        """Note what is to be said of how pictures were read, until they are counted."""
        for path, sha256 in batch.sha256s.items():
            result = batch.results.get(sha256)
            if isinstance(result, Picture) and result.remark:
                self.remarks[path] = result.remark

    def count_one(self, path: str, image: StoredImage | None, texts: Metadata, reason: str) -> None:
        """Note what became of a picture and its texts; the reason is why it is not stored."""
        remark = self.remarks.pop(path, "")
        if image is None:
            self.report.refuse(path, reason, texts)
        elif self._is_taken(path, image):
            near_duplicate = image.image.near_duplicate_of_id is not None
            self.report.take(path, texts, near_duplicate=near_duplicate, remark=remark)
        else:
            self.report.know(path, texts)

    def _is_taken(self, path: str, stored: StoredImage) -> bool:
        """Whether this import brought the image by this path, perhaps before it was killed."""
        image = stored.image
        brought = image.imported_by_id == self.record.pk and image.source == images.cut_source(path)
        return stored.new or brought

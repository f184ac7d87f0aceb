"""A picture of a snapshot as an export holds it: its bytes are read when they are needed."""

import hashlib
import io
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from PIL import Image

from labeling import marks
from labeling.exports.errors import ExportError
from labeling.exports.options import Options
from labeling.exports.rows import ExportRow
from labeling.marks import credentials
from labeling.marks.credentials import CredentialsError
from labeling.snapshot_folder import SnapshotError

_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
_KINDS = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}
_SAVING: dict[str, dict[str, Any]] = {
    "PNG": {"compress_level": 6},
    "JPEG": {"quality": 95},
    "WEBP": {"lossless": True, "method": 4},
}


@dataclass(frozen=True)
class Picture:
    """A picture to be exported."""

    path: Path  # in the snapshot's folder
    sha256: str  # of its file there
    stem: str  # of its name
    suffix: str  # as exported, with its dot
    width: int  # as exported, in pixels
    height: int
    as_it_is: bool  # neither made smaller nor encoded again
    generated: bool  # by a model, and so marked

    @property
    def name(self) -> str:
        return f"{self.stem}{self.suffix}"

    def data(self) -> bytes:
        """Return its bytes, checked, and encoded as was chosen.

        What a model drew keeps its mark, and is signed where the settings name a certificate.
        Raises SnapshotError, or ExportError where it cannot be encoded or signed.
        """
        try:
            data = self.path.read_bytes()
        except FileNotFoundError as error:
            raise SnapshotError(f"{self.path} is gone: freeze a new snapshot.") from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise SnapshotError(f"{self.path} was changed after freezing: freeze a new snapshot.")
        if not self.as_it_is:
            data = self._encoded(data)
        return self._signed(data) if self.generated else data

    def _signed(self, data: bytes) -> bytes:
        """Sign what a model of this system drew: of others, the owner can vouch for nothing."""
        try:
            owner = credentials.load(settings.C2PA_CERTIFICATE, settings.C2PA_KEY)
            mark = marks.of_bytes(data) if owner else None
            if owner is None or mark is None or not mark.system:
                return data
            return owner.sign(data, mark, self.suffix)
        except CredentialsError as error:
            raise ExportError(str(error)) from None

    def _encoded(self, data: bytes) -> bytes:
        image: Image.Image = Image.open(io.BytesIO(data))
        mark = marks.of_image(image)
        if image.size != (self.width, self.height):
            image = image.resize((self.width, self.height), Image.Resampling.LANCZOS)
        kind, file = _KINDS[self.suffix], io.BytesIO()
        try:
            image.convert("RGB").save(file, kind, **_SAVING[kind], **marks.saving(kind, mark))
        except (OSError, ValueError) as error:  # WebP and JPEG end at so many pixels a side
            raise ExportError(
                f"{self.path.name}, {self.width} × {self.height} pixels, cannot be written as "
                f"{kind} ({error}): choose another image_format, or a size."
            ) from error
        return file.getvalue()


def of_row(
    folder: Path,
    row: ExportRow,
    sha256: str,
    options: Options,
    suffixes: Collection[str] = (),
) -> Picture:
    """Return the picture of a row, from the snapshot in that folder.

    sha256: of its file there, as the snapshot's manifest has it.
    suffixes: those that are kept unless another is chosen; other pictures become PNG. (): any.
    """
    path = folder / row.split / row.file_name
    kept = path.suffix if not suffixes or path.suffix in suffixes else ".png"
    suffix = _SUFFIXES.get(options.image_format, kept)
    return Picture(
        path=path,
        sha256=sha256,
        stem=path.stem,
        suffix=suffix,
        width=row.width,
        height=row.height,
        as_it_is=suffix == path.suffix and (row.width, row.height) == row.stored_size,
        generated=row.generated,
    )

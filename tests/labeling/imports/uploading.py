"""Upload files as a browser does, without a browser."""

from collections.abc import Mapping

from django.core.files.base import ContentFile

from labeling.imports import uploads
from labeling.imports.uploads import Announced, Part
from labeling.models import Import


def begin(project, by, files: Mapping[str, bytes], **options) -> Import:
    """Begin an upload, and announce its files."""
    record, _ = uploads.begin(project=project, by=by, name="box", **options)
    announce(record, files)
    return record


def announce(record: Import, files: Mapping[str, bytes]):
    announced = [Announced(path, len(data)) for path, data in files.items()]
    return uploads.announce(record=record, files=announced)


def send(record: Import, number: int, data: bytes, offset: int = 0):
    part = Part(number, offset, ContentFile(data))
    return uploads.receive(record=record, parts=[part])[0]


def upload(project, by, files: Mapping[str, bytes], **options) -> Import:
    """Upload files, down to the last byte; return the import as it is then."""
    record = begin(project, by, files)
    for row in record.uploaded_files.filter(problem="", size__gt=0):
        send(record, row.number, files[row.path])
    return uploads.complete(record=record, by=by, **options)

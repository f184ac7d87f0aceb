"""A JSON file: a dataset's annotations, or a row beside its picture."""

from labeling.decoding import ImageRejected
from labeling.imports import texts
from labeling.imports.entries import Layout, Readings
from labeling.imports.layouts import coco, rows, sidecars
from labeling.imports.members import Member
from labeling.imports.options import Options

DOCUMENT_MAX = 256 * 2**20  # bytes


def _read(member: Member, options: Options) -> Readings:
    document = texts.parse(member.read(DOCUMENT_MAX), options.encoding)
    if not isinstance(document, dict):
        raise ImageRejected("no JSON object")
    if coco.is_coco(document):
        yield from coco.read(document, member.path)
    else:
        yield from rows.read(document, sidecars.reference(member), member.path)


JSON = Layout("JSON", _read, suffixes=(".json",))

"""An XML file: Pascal VOC's annotation of a picture, or a CVAT task."""

from collections.abc import Iterator

from labeling.decoding import ImageRejected
from labeling.imports.entries import Layout, Readings
from labeling.imports.layouts import cvat, elements, voc
from labeling.imports.layouts.elements import Element
from labeling.imports.layouts.records import by_name
from labeling.imports.members import Member
from labeling.imports.options import Options

XML_MAX = 512 * 2**20  # bytes


def _read(member: Member, options: Options) -> Readings:
    with member.open() as file:
        children = elements.read(file, XML_MAX)
        root = next(children, None)
        if root is not None and root.tag == voc.ROOT:
            yield from (by_name(each, "Pascal VOC") for each in voc.read(children, member.path))
        elif root is not None and root.tag == cvat.ROOT:
            yield from (by_name(each, "CVAT") for each in cvat.read(children, member.path))
        else:
            raise ImageRejected(f"XML of {_named(root, children)}, which no tool is known to write")


def _named(root: Element | None, children: Iterator[Element]) -> str:
    return f"<{root.tag[:40]}>" if root else "nothing"


XML = Layout("XML", _read, suffixes=(".xml",))

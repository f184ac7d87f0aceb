"""XML, read element by element. Document types are refused, so entities that grow or reach out are.

The parser is Python's expat, which needs no more memory than the largest child of the root.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO
from xml.parsers import expat

from labeling.decoding import ImageRejected

CHUNK = 64 * 1024  # bytes
DEPTH_MAX = 20  # elements within each other
TOKEN_MAX = 4 * 2**20  # bytes of one tag
CHILD_MAX = 16 * 2**20  # bytes of one child of the root
DOCTYPE = "XML with a document type: its entities are not read"


@dataclass
class Element:
    """An element with its children; its text is what stands before the first of them."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def child(self, tag: str) -> "Element | None":
        """Return the first child of that name."""
        return next((each for each in self.children if each.tag == tag), None)

    def text_of(self, tag: str) -> str:
        """Return the text of the first child of that name; empty where there is none."""
        child = self.child(tag)
        return child.text.strip() if child else ""


def read(file: BinaryIO, limit: int) -> Iterator[Element]:
    """Yield the root without its children, then each child of it once it is complete.

    limit: bytes that are read at most. Raises `ImageRejected` of what is no XML, or not to be
    trusted.
    """
    builder = _Builder()
    total = 0
    try:
        while chunk := file.read(CHUNK):
            total += len(chunk)
            if total > limit:
                raise ImageRejected(f"larger than {limit:,} bytes")
            builder.feed(chunk)
            yield from builder.take()
        builder.parser.Parse(b"", True)
    except expat.ExpatError as error:
        line = f", line {error.lineno}"
        raise ImageRejected(f"not XML{line}: {expat.ErrorString(error.code)}") from error
    except (LookupError, ValueError) as error:
        if isinstance(error, ImageRejected):
            raise
        raise ImageRejected("XML in an encoding that is not known") from error
    yield from builder.take()


class _Builder:
    """Builds elements from the parser's events."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = _refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self._open: list[Element] = []
        self._complete: list[Element] = []
        self._fed = 0  # bytes
        self._begun = 0  # the byte at which the child of the root begins

    def feed(self, chunk: bytes) -> None:
        """Parse on."""
        self.parser.Parse(chunk, False)
        self._fed += len(chunk)
        if (
            self._fed - self.parser.CurrentByteIndex > TOKEN_MAX
        ):  # it is begun again with each chunk
            raise ImageRejected(f"XML with a tag or a comment larger than {TOKEN_MAX:,} bytes")
        if len(self._open) > 1 and self.parser.CurrentByteIndex - self._begun > CHILD_MAX:
            raise ImageRejected(f"XML with an element larger than {CHILD_MAX:,} bytes")

    def take(self) -> list[Element]:
        """Return what is complete since the last call."""
        complete, self._complete = self._complete, []
        return complete

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= DEPTH_MAX:
            raise ImageRejected(f"XML of more than {DEPTH_MAX} elements within each other")
        element = Element(tag, attributes)
        if not self._open:
            self._complete.append(element)
        elif len(self._open) == 1:
            self._begun = self.parser.CurrentByteIndex
        else:
            self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, tag: str) -> None:
        element = self._open.pop()
        if len(self._open) == 1:
            self._complete.append(element)

    def _data(self, text: str) -> None:
        if len(self._open) > 1 and not self._open[-1].children:
            self._open[-1].text += text


def _refuse_doctype(*about: object) -> None:
    raise ImageRejected(DOCTYPE)

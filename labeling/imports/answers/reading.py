"""Which reader a file of answers needs, by what it begins with."""

import json
from typing import Any, Protocol

from labeling.aggregation import tables
from labeling.aggregation.tables import TableError
from labeling.imports.answers import label_studio
from labeling.imports.answers.crowds import Tool
from labeling.imports.answers.cvat import CvatReader
from labeling.imports.answers.entries import AnswersError, Entries
from labeling.imports.answers.options import Options
from labeling.imports.answers.tables import TableReader

SIZE_MAX = 256 * 2**20  # bytes


class Reader(Protocol):
    """Reads one kind of file."""

    @property
    def tool(self) -> Tool:
        """Where its answers were given."""
        ...

    def remark(self) -> str:
        """Say how the file is read."""
        ...

    def names(self) -> list[str]:
        """Return the columns or fields among which may be chosen."""
        ...

    def entries(self) -> Entries:
        """Yield an entry for each answer, each truth, and each that is refused."""
        ...


def reader(data: bytes, options: Options, *, name: str, gold: bool = False) -> Reader:
    """Return the reader of a file's bytes. Raises AnswersError with what to do."""
    if len(data) > SIZE_MAX:
        raise AnswersError(f"{name} is larger than {SIZE_MAX:,} bytes: import it in parts.")
    try:
        plain = tables.plain(data, name=name)
    except TableError as error:
        raise AnswersError(str(error)) from None
    try:
        return _reader(plain, options, gold=gold)
    except AnswersError as error:
        raise AnswersError(f"{name}: {error}.") from None


def _reader(data: bytes, options: Options, *, gold: bool) -> Reader:
    begin = data[:1024].lstrip()[:1]
    if not begin:
        raise AnswersError("it is empty")
    if gold:
        return TableReader(data, options, gold=True)
    if begin == b"<":
        return CvatReader(data, options)
    if begin in (b"[", b"{"):
        try:
            return label_studio.reader(_document(data), options)
        except (ValueError, RecursionError) as error:
            raise AnswersError(f"it is no JSON ({error})") from None
    return TableReader(data, options)


def _document(data: bytes) -> Any:
    """Return a document of JSON; of JSON lines, the list of their objects. Raises ValueError."""
    try:
        return json.loads(data)
    except ValueError:
        rows = [json.loads(line) for line in data.splitlines() if line.strip()]
        if len(rows) < 2 or not all(isinstance(row, dict) for row in rows):
            raise
        return rows

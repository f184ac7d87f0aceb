"""Answers in a table: ours, Mechanical Turk's, Toloka's, Label Studio's; and gold lists."""

from collections.abc import Iterator, Sequence
from itertools import islice

from labeling.aggregation import dialects
from labeling.aggregation.dialects import Dialect, RowError, key
from labeling.aggregation.tables import no_csv
from labeling.imports.answers import cells, columns
from labeling.imports.answers.columns import SAMPLE, Columns, Format
from labeling.imports.answers.crowds import Tool
from labeling.imports.answers.entries import AnswersError, Entries, Given, Kind, Refused, Truth
from labeling.imports.answers.options import Options
from labeling.spreadsheets import text_of

TOOLS = {
    Format.MTURK: Tool.MTURK,
    Format.TOLOKA: Tool.TOLOKA,
    Format.LABEL_STUDIO: Tool.LABEL_STUDIO,
}
EMPTY = "the cell is empty"
NO_TEXT = "this is not UTF-8 text: save the file as UTF-8, or say its encoding"
NOT_TAKEN = {
    "rejected": "the assignment was rejected",
    "skipped": "the task was skipped",
    "expired": "the assignment was not finished",
    "active": "the assignment was not finished",
}


class TableReader:
    """Reads a table of answers, or a gold list. Raises AnswersError where no column fits."""

    def __init__(self, data: bytes, options: Options, *, gold: bool = False) -> None:
        names = ("task", "concept", "truth") if gold else ("task", "worker", "label")
        self.data, self.options, self.gold = data, options, gold
        self.dialect: Dialect = dialects.detect(data, names)
        self.header, sample = _beginning(data, self.dialect)
        if not self.header:
            raise AnswersError(f"it is empty: it needs a header with {', '.join(names)}")
        self.columns: Columns = (
            columns.detect_gold(self.header, options)
            if gold
            else columns.detect(self.header, sample, options)
        )

    @property
    def tool(self) -> Tool:
        """Where its answers were given."""
        return TOOLS.get(self.columns.format, Tool.TABLE)

    def remark(self) -> str:
        """Say how the table is read."""
        words = self.columns.in_words()
        return words if self.dialect.separator == "," else f"{words} By {self.dialect.word}."

    def names(self) -> list[str]:
        """Return the names of the columns among which may be chosen."""
        return self.header

    def entries(self) -> Entries:
        """Yield an entry for each answer and each truth."""
        rows = dialects.rows(self.data, self.dialect)
        next(rows)
        try:
            for line, row in rows:
                yield from self._row(f"line {line}", row)
        except RowError as error:
            yield Refused(f"line {error.line} and all that follow", "", no_csv(error), self._kind)

    @property
    def _kind(self) -> Kind:
        return Kind.GOLD if self.gold else Kind.ANSWER

    def _row(self, where: str, row: Sequence[str]) -> Entries:
        if len(row) != len(self.header):
            there = "is 1 cell" if len(row) == 1 else f"are {len(row)} cells"
            reason = f"there {there} where the header has {len(self.header)}"
            yield Refused(where, "", reason, self._kind)
            return
        values = {name: self._text(cell) for name, cell in zip(self.header, row, strict=True)}
        if problem := self._problem(values):
            yield Refused(where, *problem, self._kind)
        elif self.gold:
            yield self._truth(where, values, self.columns.labels[0])
        else:
            yield from self._answers(where, values)
            yield from self._golds(where, values)

    def _text(self, cell: str) -> str:
        """Return a cell's text, decoded as was chosen where it is not UTF-8."""
        if self.options.encoding and not cell.isascii():
            raw = cell.encode("utf-8", "surrogateescape")
            try:
                raw.decode()
            except UnicodeDecodeError:
                cell = raw.decode(self.options.encoding, "surrogateescape")
        return text_of(cell.strip())

    def _problem(self, values: dict[str, str]) -> tuple[str, str] | None:
        """Return the column that spoils a row, and why."""
        plain = self.columns
        state = values.get(plain.status, "").casefold()
        if state in NOT_TAKEN:
            return plain.status, NOT_TAKEN[state]
        used = [plain.task, plain.worker, *plain.labels, plain.concept, *plain.golds]
        for name in filter(None, used):
            if any("\ud800" <= character <= "\udfff" for character in values[name]):
                return name, NO_TEXT
        required = [plain.task, plain.worker, plain.concept]
        required += (
            plain.labels if plain.format in {Format.TABLE, Format.GOLD, Format.CLASSES} else []
        )
        for name in filter(None, required):
            if not values[name]:
                return name, EMPTY
        return None

    def _concept(self, values: dict[str, str]) -> str:
        return values[self.columns.concept] if self.columns.concept else self.options.concept_name

    def _answers(self, where: str, values: dict[str, str]) -> Iterator[Given | Refused]:
        plain, empty = self.columns, True
        for column in plain.labels:
            bare = column[len(plain.prefix) :] if key(column).startswith(plain.prefix) else column
            for label, concept in cells.labels(
                values[column], bare, alone=len(plain.labels) == 1 and "." not in bare
            ):
                empty = False
                yield Given(
                    where,
                    task=values[plain.task],
                    worker=values[plain.worker] if plain.worker else self.options.worker_name,
                    label=label,
                    concept=concept or self._concept(values),
                    group=where,
                    column=column,
                )
        if empty:
            yield Refused(where, ", ".join(plain.labels), "there is no answer")

    def _golds(self, where: str, values: dict[str, str]) -> Iterator[Truth]:
        for column in self.columns.golds:
            bare = column.partition(":")[2]
            for label, concept in cells.labels(
                values[column], bare, alone=len(self.columns.golds) == 1
            ):
                concept = concept or self._concept(values)
                yield Truth(where, values[self.columns.task], label, concept, column)

    def _truth(self, where: str, values: dict[str, str], column: str) -> Truth:
        task, concept = values[self.columns.task], self._concept(values)
        exclusive = self.columns.format is Format.CLASSES
        return Truth(where, task, values[column], concept, column, exclusive)


def _beginning(data: bytes, dialect: Dialect) -> tuple[list[str], list[list[str]]]:
    """Return the header and the first rows. Raises AnswersError where there is no header."""
    rows: list[list[str]] = []
    try:
        for _, row in islice(dialects.rows(data, dialect, strict=False), SAMPLE):
            rows.append(row)
    except RowError as error:
        if not rows:
            raise AnswersError(f"line {error.line}: {no_csv(error)}") from None
    header, *sample = rows or [[]]
    return [cell.strip() for cell in header], sample

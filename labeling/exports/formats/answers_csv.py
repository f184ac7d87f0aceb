"""Raw answers as CSV, each with a pseudonym of who gave it.

The pseudonyms have a key of their own in each export: those of two exports cannot be joined. No
times and no ids are among the columns, and the order says nothing, since they would join them too.
"""

from contextlib import ExitStack

from labeling.exports import accuracy, csv_files
from labeling.exports.csv_files import Csv
from labeling.exports.errors import ExportError
from labeling.exports.pictures import Picture
from labeling.exports.rows import ExportRow
from labeling.exports.sinks import Sink
from labeling.exports.stored import Stored
from labeling.exports.writer import About, Counts, Format

_SHARED = "task", "worker", "label", "counted", "picture", "source"
_PLACE = "left", "top", "width", "height"  # of a part or a box, in pixels of the stored picture
FILES = {
    "answers.csv": (*_SHARED, "concept"),  # of whole pictures
    "other_answers.csv": (*_SHARED, "kind", "text", "grid", "position", *_PLACE),  # of all else
}


class Answers:
    def __init__(self, sink: Sink, about: About) -> None:
        if about.answers is None:
            raise ExportError("Raw answers are in the database: name the snapshot by its number.")
        self._sink, self._answers, self._manifest = sink, about.answers, about.manifest
        self._pictures: set[int] = set()  # their stems as numbers, which take little memory

    def write(self, row: ExportRow, picture: Picture) -> None:
        self._pictures.add(int(picture.stem, 16))

    def close(self) -> Counts:
        counts = {"answers": 0, "other_answers": 0}
        with ExitStack() as files:
            tables = {
                name: Csv(files.enter_context(self._sink.file(name)), columns)
                for name, columns in FILES.items()
            }
            for answer in self._answers():
                if int(answer["picture"], 16) not in self._pictures:
                    continue
                whole = answer["kind"] == "concept" and answer["grid"] == 1
                kind = "answers" if whole else "other_answers"
                tables[f"{kind}.csv"].add({**answer, "concept": answer["text"]})
                counts[kind] += 1
        accuracy.write(self._sink, self._manifest)
        return counts


def count(stored: Stored) -> Counts:
    """Count the rows of both tables."""
    counts = {}
    for name in FILES:
        with stored.open(name) as file:
            counts[name.removesuffix(".csv")] = sum(1 for _ in csv_files.read(file))
    return counts


FORMAT = Format(
    name="answers",
    title="Raw answers as CSV",
    read_by="python -m labeling.aggregation, crowd-kit, pandas",
    holds="who (by a pseudonym of this export alone) said what of which picture",
    options=("pictures", "split"),
    writer=Answers,
    count=count,
)

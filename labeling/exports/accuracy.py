"""How often the labels of a snapshot are right, as a table beside what is exported."""

from collections.abc import Iterator, Mapping
from typing import Any

from labeling.exports.csv_files import Csv
from labeling.exports.sinks import Sink

NAME = "accuracy.csv"
BESIDE = "label_accuracy_"  # how its name begins in a folder that is in use, before the snapshot's
_SHARES = "labels", "covered", "judged", "by", "accuracy", "low", "high"


def write(sink: Sink, manifest: Mapping[str, Any], name: str = NAME) -> None:
    """Write the table, unless the manifest tells nothing."""
    if measured := manifest.get("accuracy"):
        with sink.file(name) as file:
            table = Csv(file, ("concept", "answered", *_SHARES))
            for row in _rows(measured):
                table.add(row)


def _rows(measured: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield how often labels are right: of all, by concept, and of those without answers."""
    answered = [measured["whole"], *measured["concepts"]]
    for row, kind in [*((each, "yes") for each in answered), (measured["unanswered"], "no")]:
        shares = {name: "" if row[name] is None else row[name] for name in _SHARES}
        yield {"concept": row["name"], "answered": kind, **shares}

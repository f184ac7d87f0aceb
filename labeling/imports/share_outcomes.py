"""What became of the pictures of a share: kept with it, until the import has ended."""

import json
import zlib
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from labeling.imports.box_tiles import Labelled
from labeling.imports.entries import Kind
from labeling.imports.metadata import Metadata, Problem
from labeling.imports.report import Report

LEVEL = 1  # of the compression: most of it are paths


class Unseen(NamedTuple):
    """A picture that nobody sees yet, of which something is to be asked once all are stored.

    remark, refused, problems: of one that is counted then, with its gold.
    """

    path: str
    tile: int
    is_counted_later: bool = False
    remark: str = ""
    refused: dict[str, int] = {}
    problems: list[list[str]] = []

    @classmethod
    def of_gold(cls, path: str, tile: int, remark: str, metadata: Metadata) -> Self:
        """Return a picture with gold, and what was refused of its texts so far."""
        refused = {str(kind): count for kind, count in metadata.refused.items()}
        return cls(path, tile, True, remark, refused, [list(each) for each in metadata.problems])

    def restore(self, metadata: Metadata) -> Metadata:
        """Let a picture's texts be as they were when it was stored."""
        if self.is_counted_later:
            metadata.refused.clear()
            metadata.refused.update({Kind(kind): count for kind, count in self.refused.items()})
            metadata.problems[:] = [Problem(*each) for each in self.problems]
        return metadata


@dataclass
class ShareOutcome:
    """What is said of a share's pictures in the report, and what is to be asked about them."""

    report: Report = field(default_factory=Report.of_part)
    unseen: list[Unseen] = field(default_factory=list)
    boxes: list[Labelled] = field(default_factory=list)  # on pictures that nobody sees yet
    vendors: set[str] = field(default_factory=set)

    @property
    def is_to_be_asked(self) -> bool:
        return bool(self.unseen or self.boxes)

    @property
    def has_gold(self) -> bool:
        """Whether gold is to be attached, of which the first that says so counts."""
        return any(each.is_counted_later for each in self.unseen)

    def packed(self) -> bytes:
        """Return it as it is kept."""
        values: dict[str, Any] = {
            "report": self.report.part(),
            "unseen": self.unseen,
            "boxes": self.boxes,
            "vendors": sorted(self.vendors),
        }
        return zlib.compress(json.dumps(values).encode(), LEVEL)

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """Return what was kept; of nothing, an empty one."""
        outcome = cls()
        if data:
            values = json.loads(zlib.decompress(data))
            outcome.report.add(values["report"])
            outcome.unseen = [Unseen(*each) for each in values["unseen"]]
            outcome.boxes = [Labelled(*each) for each in values["boxes"]]
            outcome.vendors = set(values["vendors"])
        return outcome

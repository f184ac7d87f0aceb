"""The card of an export, which is that of its snapshot, of what the export holds."""

from labeling import dataset_card
from labeling.dataset_card import Facts, Layout
from labeling.exports.rows import ExportRow
from labeling.exports.tables import COLUMNS, Types
from labeling.exports.writer import About
from labeling.snapshot_folder import CARD

NAME = CARD
FEATURES: Types = {"image": "image", **COLUMNS}
_COLUMNS = """\
| column | what it holds |
|---|---|
| `text`, `confidence` | the best caption and its probability |
| `tags` | keywords, and concepts that the whole picture shows |
| `concepts` | of each concept: probability, entropy in bits, number of answers |
| `in_part` | concepts that people saw in parts of the picture alone |
| `captions` | each with its confidence, whether an import, an annotator or a model wrote it, \
and the place in `provenance` of where it comes from; -1: it was written here |
| `objects` | boxes, as lists side by side: `bbox` (left, top, width, height, in pixels), \
`category`, `area`, `probability`, `answers`, and the place in `provenance` |
| `provenance` | where the picture, first, and its texts come from: import, layout, file, \
vendor, batch, license, url, date, importer, and the price of one text |
| `n_answers` | answers about the picture in all |
| `license`, `source` | as the import said; `source` is the path that it came from |
| `generated`, `prompt` | whether a model drew the picture, and from what |
| `pair` | the probability that the two halves that it shows belong together; 0: it shows none |
| `width`, `height`, `split`, `snapshot` | in pixels; the snapshot's SHA-256 |"""


class Card:
    """What the card of an export says, row by row."""

    def __init__(self, about: About, *, paths: str) -> None:
        self._about, self._paths, self._facts = about, paths, Facts()

    def add(self, row: ExportRow) -> None:
        """Count a row that is written."""
        self._facts.add(
            row.split,
            {
                "license": row.license,
                "captions": [vars(each) for each in row.captions],
                "provenance": row.provenance,
                "tags": row.tags,
                "n_answers": row.answers,
                "generated": row.generated,
                "concepts": [vars(each) for each in row.concepts],
                "in_part": row.in_part,
                "boxes": row.boxes,
            },
        )

    def text(self, features: Types = FEATURES) -> str:
        """Return the card; features: the types of what `datasets` finds."""
        layout = Layout(features, _COLUMNS, self._paths, self._notes())
        return dataset_card.render(self._about.manifest, self._facts, layout)

    def _notes(self) -> str:
        chosen = ", ".join(
            f"{name} = {', '.join(value) if isinstance(value, list) else value}"
            for name, value in self._about.options.chosen.items()
        )
        return f"It was exported from the Tessera snapshot `{self._about.snapshot}`" + (
            f", with {dataset_card.plain(chosen)}." if chosen else "."
        )

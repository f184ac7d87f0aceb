"""Labels → the rows of a snapshot: what an image shows, with probabilities and captions.

Every concept keeps its probability, as `labeling.image_beliefs` says it, whether or not a question
about it is stored. One that is switched off keeps its labels; one that was merged into another is
not listed, since the other took over its names and answers. What was only seen in parts of an
image is named in `in_part` and is no tag, since it is not what the image is of. A keyword is a tag
unless it names a concept that the whole image does not show. A concept is a tag where something
speaks of that image: its prevalence alone makes none. A caption is kept from a probability of one
half; one that no import states any more, where most people believe it. The best comes first, as
`labeling.caption_order` says, and is the image's text.

`boxes` lists the rectangles that imports drew on the image, in its pixels, with what each is said
to show, as `labeling.box_beliefs` believes it; one that shows two things is listed twice.

`pair` is how surely its two halves, the left and the right square, belong together; 0 where it is
one picture.

`shows_prompt` is how surely a picture that a model drew shows its prompt, by people alone; 0 where
no model drew it, or too few have judged it. `fits_prompt` is what the project's CLIP says of a
judged one; 0 where none does.

`provenance` lists where the image and its texts come from, the image first; each caption and box
has the place of its own in that list, -1 where somebody wrote it, or spoke of it, here.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

from django.db.models import Q, Sum, Value
from django.db.models.functions import Coalesce, Collate
from django.db.models.lookups import LessThan

from labeling import box_beliefs, caption_order, drawn_verdicts, image_beliefs, images, provenance
from labeling.batches import batched
from labeling.box_beliefs import BoxLabel
from labeling.drawn_verdicts import Verdict
from labeling.image_beliefs import ImageBeliefs
from labeling.imports import statements
from labeling.models import Concept, Image, Import, Pair, Project, Question, TextSource
from labeling.models.projects import name_key
from labeling.snapshot_folder import SPLITS, Row

TEST_SHARE = 0.05
STEM_LENGTH = 16  # characters of an image's SHA-256 that name its file
BATCH = 500  # images
DIGITS = 4  # of a probability
LEAST_FIT = 0.0001  # of a pair: 0 says that an image is none
WRITTEN_HERE = -1  # the place in `provenance` of what somebody wrote, or said of a box

Captions = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class SnapshotRow:
    """A row of a snapshot, and where it goes."""

    split: str
    row: Row
    image: Image


def build(
    *, project: Project, concepts: Sequence[Concept], include_generated: bool
) -> Iterator[SnapshotRow]:
    """Yield the rows of a project's images in the order of their file names.

    concepts: those of the rows, by `concepts_of`. A batch of images is held at a time.
    """
    pictures = Image.objects.filter(images.visible(), project=project).select_related(
        "near_duplicate_of", "text_source", "imported_by__requested_by"
    )
    if not include_generated:
        pictures = pictures.filter(generated=False)
    reader = image_beliefs.Reader(project, concepts)
    box_reader = box_beliefs.Reader(project, concepts)
    names, pair_reader = _Names(concepts), _PairReader(project, concepts)
    caption_reader = caption_order.Reader(project)
    for batch in batched(pictures.order_by("sha256").iterator(chunk_size=BATCH), BATCH):
        believed, labels = reader.of(batch), box_reader.of(batch)
        captions, answers = _captions(caption_reader, batch), _answers(batch)
        origins, pairs = _origins(batch, labels), pair_reader.of(batch)
        verdicts = drawn_verdicts.of_images(batch, concepts)
        for number, image in enumerate(batch):
            shown = names.shown(believed, number)
            row = row_of(image, shown, captions[image.pk], answers.get(image.pk, 0))
            row["provenance"] = origins.of(image, row["captions"])
            row["license"] = image.license or row["provenance"][0]["license"]
            row["boxes"] = [
                _box(each, origins.place_of(image, each, row["provenance"]))
                for each in labels.get(image.pk, ())
            ]
            row["pair"] = pairs.fit(image, believed, number)
            said = verdicts.get(image.pk, Verdict())._asdict()
            row |= {name: round(value, DIGITS) for name, value in said.items()}
            yield SnapshotRow(split_of(image), row, image)


def concepts_of(project: Project) -> list[Concept]:
    """Return the concepts of a project's snapshots, by name."""
    return list(project.concepts.filter(merged_into=None))


def counts(snapshot_row: SnapshotRow) -> dict[str, int]:
    """Return what a row adds: images by split and in all, captions, boxes and the like."""
    row = snapshot_row.row
    return {
        **dict.fromkeys(SPLITS, 0),
        snapshot_row.split: 1,
        "images": 1,
        "captions": len(row["captions"]),
        "boxes": len(row["boxes"]),
        "answers": row["n_answers"],
        "generated": int(row["generated"]),
        "pairs": int(row["pair"] > 0),
    }


def file_name(image: Image) -> str:
    """Return the name of an image's file in every snapshot."""
    return f"{image.sha256[:STEM_LENGTH]}{Path(str(image.file.name)).suffix}"


def split_of(image: Image) -> str:
    """Return "train" or "test": by content alone, so for ever, with near-duplicates together."""
    original = image.near_duplicate_of or image
    return "test" if int(original.sha256[:8], 16) / 2**32 < TEST_SHARE else "train"


def in_split(split: str) -> Q:
    """Return the condition of images that `split_of` puts into a split."""
    original = Collate(Coalesce("near_duplicate_of__sha256", "sha256"), "C")
    is_test = Q(LessThan(original, Value(f"{math.ceil(TEST_SHARE * 2**32):08x}")))
    return is_test if split == "test" else ~is_test


@dataclass(frozen=True)
class Shown:
    """What one image shows."""

    concepts: list[dict[str, Any]]  # each with its name, probability and number of answers
    whole: list[str]  # concepts that the whole image shows
    in_part: list[str]  # concepts that are seen in parts of it alone
    names: Mapping[str, str]  # a concept's name by each key of its name and aliases


class _Names:
    """The names of C concepts, in the order of the columns of `ImageBeliefs`."""

    def __init__(self, concepts: Sequence[Concept]) -> None:
        self._names = [concept.name for concept in concepts]
        self._by_key = {key: concept.name for concept in concepts for key in concept.keys}

    def shown(self, believed: ImageBeliefs, number: int) -> Shown:
        """Return what the image in that row of `believed` shows."""
        columns = zip(
            self._names,
            believed.probability[number].round(DIGITS).tolist(),
            believed.answers[number].tolist(),
            strict=True,
        )
        probability = believed.probability[number].round(DIGITS)
        shown = (probability >= 0.5) & believed.evidence[number]
        in_part = believed.in_part[number]
        return Shown(
            concepts=[{"name": n, "probability": p, "answers": a} for n, p, a in columns],
            whole=list(compress(self._names, shown & ~in_part)),
            in_part=list(compress(self._names, shown & in_part)),
            names=self._by_key,
        )


@dataclass(frozen=True)
class _Pairs:
    """The images of a batch that are pairs, each with the column of the concept of their fit."""

    columns: Mapping[int, int | None]  # by image id

    def fit(self, image: Image, believed: ImageBeliefs, number: int) -> float:
        """Return how surely the halves of an image belong together; 0: it is one picture."""
        if image.pk not in self.columns:
            return 0.0
        column = self.columns[image.pk]
        probability = (
            image.import_confidence if column is None else believed.probability[number, column]
        )
        return max(round(float(probability), DIGITS), LEAST_FIT)


class _PairReader:
    """Tells which images are pairs, and by which of C concepts their fit is known."""

    def __init__(self, project: Project, concepts: Sequence[Concept]) -> None:
        columns = {concept.pk: column for column, concept in enumerate(concepts)}
        merged = project.concepts.exclude(merged_into=None).values_list("pk", "merged_into")
        survivors = {pk: columns[into] for pk, into in merged if into in columns}
        self._columns = columns | survivors

    def of(self, batch: Sequence[Image]) -> _Pairs:
        """Return the pairs among some images."""
        rows = Pair.objects.filter(image__in=batch).order_by().values_list("image", "concept")
        return _Pairs({image: self._columns.get(concept or 0) for image, concept in rows})


def row_of(image: Image, shown: Shown, captions: Captions, answers: int) -> Row:
    """Return an image's row; the first caption is its text."""
    return {
        "file_name": file_name(image),
        "text": captions[0]["text"] if captions else "",
        "tags": _tags(image.keywords, shown),
        "concepts": shown.concepts,
        "in_part": shown.in_part,
        "captions": captions,
        "n_answers": answers,
        "license": image.license,
        "source": image.source,
        "generated": image.generated,
        "prompt": image.prompt,
        "width": image.width,
        "height": image.height,
    }


def _tags(keywords: Iterable[str], shown: Shown) -> list[str]:
    """Return the keywords that no concept refutes, and the concepts shown by the whole image."""
    tags = [shown.names.get(name_key(keyword), keyword) for keyword in keywords]
    refuted = set(shown.names.values()) - set(shown.whole)
    return list(dict.fromkeys([*(tag for tag in tags if tag not in refuted), *shown.whole]))


def _box(box: BoxLabel, place: int) -> dict[str, Any]:
    """Return a box as a row has it; place: that of where it comes from."""
    return {
        "left": box.tile.left,
        "top": box.tile.top,
        "width": box.tile.width,
        "height": box.tile.height,
        "label": box.label,
        "probability": round(box.probability, DIGITS),
        "answers": box.answers,
        "provenance": place,
    }


def _captions(
    reader: caption_order.Reader, images: Sequence[Image]
) -> dict[int, list[dict[str, Any]]]:
    """Return the captions of whole images by image id, the best first."""
    ranked = reader.of(images)
    return {
        image.pk: [
            {
                "text": each.text,
                "confidence": round(each.probability, DIGITS),
                "source": each.source,
                "provenance": each.text_source,  # its id, until `_Origins.of`
            }
            for each in ranked.get(image.pk, ())
        ]
        for image in images
    }


@dataclass(frozen=True)
class _Origins:
    """Where some images and their texts come from."""

    text_sources: Mapping[int, TextSource]
    imports: Mapping[int, Import]
    keywords: Mapping[int, list[tuple[int | None, int | None]]]  # import and text source, by image
    stated: Mapping[tuple[int, int | None], int | None]  # text source by image and import

    def of(self, image: Image, captions: Captions) -> list[dict[str, Any]]:
        """Return where an image and its texts come from; give its captions their places in it."""
        own = provenance.of(image.imported_by, image.text_source, license=image.license).as_row()
        rows = [own]
        for record, source in self.keywords.get(image.pk, ()):
            self._place(rows, record, source)
        for caption in captions:
            source = caption["provenance"]
            if source is not None:
                record = self.text_sources[source].imported_by_id
                caption["provenance"] = self._place(rows, record, source)
            else:
                imported = caption["source"] == Question.Source.IMPORT
                caption["provenance"] = 0 if imported else WRITTEN_HERE
        return rows

    def place_of(self, image: Image, box: BoxLabel, rows: list[dict[str, Any]]) -> int:
        """Return the place of where a box comes from; it is added where it is new."""
        if box.record is None:
            return WRITTEN_HERE
        if box.record == image.imported_by_id:
            return 0
        return self._place(rows, box.record, self.stated.get((image.pk, box.record)))

    def _place(self, rows: list[dict[str, Any]], record: int | None, source: int | None) -> int:
        """Return the place of where a text comes from; it is added where it is new."""
        row = provenance.of(
            self.imports.get(record or 0), self.text_sources.get(source or 0)
        ).as_row()
        if row not in rows:
            rows.append(row)
        return rows.index(row)


def _origins(images: Sequence[Image], boxes: Mapping[int, Sequence[BoxLabel]]) -> _Origins:
    """Return where the texts and boxes of images come from."""
    kept = statements.by_image([image.pk for image in images])
    keywords = {
        pk: [(row.imported_by_id, row.text_source_id) for row in statements.of_keywords(rows)]
        for pk, rows in kept.items()
    }
    stated = {
        (pk, row.imported_by_id): row.text_source_id for pk, rows in kept.items() for row in rows
    }
    asked = Question.objects.filter(tile__image__in=images, text_source__isnull=False)
    ids = set(asked.order_by().values_list("text_source", flat=True))
    ids |= {source for source in stated.values() if source is not None}
    sources = TextSource.objects.in_bulk(ids)
    records = {source.imported_by_id for source in sources.values()}
    records |= {record for _, record in stated if record is not None}
    records |= {each.record for labels in boxes.values() for each in labels if each.record}
    imports = Import.objects.select_related("requested_by").in_bulk(records)
    return _Origins(sources, imports, keywords, stated)


def _answers(images: Sequence[Image]) -> dict[int, int]:
    """Return the number of answers about each image, by its id."""
    asked = Question.objects.filter(tile__image__in=images, answers_count__gt=0).order_by()
    return dict(asked.values_list("tile__image_id").annotate(Sum("answers_count")))

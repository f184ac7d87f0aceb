"""Labels → the rows of a snapshot: what an image shows, with probabilities and captions.

Every concept keeps its probability, as `labeling.image_beliefs` says it, whether or not a question
about it is stored. One that is switched off keeps its labels; one that was merged into another is
not listed, since the other took over its names and answers. What was only seen in parts of an
image is named in `in_part` and is no tag, since it is not what the image is of. A keyword is a tag
unless it names a concept that the whole image does not show. A caption is kept from a probability
of one half.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

from django.db.models import Sum

from labeling import image_beliefs
from labeling.batches import batched
from labeling.image_beliefs import ImageBeliefs
from labeling.models import Concept, Image, Project, Question
from labeling.models.projects import name_key
from labeling.snapshot_folder import SPLITS, Row

TEST_SHARE = 0.05
STEM_LENGTH = 16  # characters of an image's SHA-256 that name its file
BATCH = 500  # images
DIGITS = 4  # of a probability

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
    images = Image.objects.filter(project=project).select_related("near_duplicate_of")
    if not include_generated:
        images = images.filter(generated=False)
    reader = image_beliefs.Reader(project, concepts)
    names = _Names(concepts)
    for batch in batched(images.order_by("sha256").iterator(chunk_size=BATCH), BATCH):
        believed = reader.of(batch)
        captions, answers = _captions(batch), _answers(batch)
        for number, image in enumerate(batch):
            shown = names.shown(believed, number)
            row = row_of(image, shown, captions[image.pk], answers.get(image.pk, 0))
            yield SnapshotRow(split_of(image), row, image)


def concepts_of(project: Project) -> list[Concept]:
    """Return the concepts of a project's snapshots, by name."""
    return list(project.concepts.filter(merged_into=None).order_by("name"))


def counts(snapshot_row: SnapshotRow) -> dict[str, int]:
    """Return what a row adds: images by split and in all, captions, answers, generated."""
    row = snapshot_row.row
    return {
        **dict.fromkeys(SPLITS, 0),
        snapshot_row.split: 1,
        "images": 1,
        "captions": len(row["captions"]),
        "answers": row["n_answers"],
        "generated": int(row["generated"]),
    }


def file_name(image: Image) -> str:
    """Return the name of an image's file in every snapshot."""
    return f"{image.sha256[:STEM_LENGTH]}{Path(str(image.file.name)).suffix}"


def split_of(image: Image) -> str:
    """Return "train" or "test": by content alone, so for ever, with near-duplicates together."""
    original = image.near_duplicate_of or image
    return "test" if int(original.sha256[:8], 16) / 2**32 < TEST_SHARE else "train"


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
        shown, in_part = probability >= 0.5, believed.in_part[number]
        return Shown(
            concepts=[{"name": n, "probability": p, "answers": a} for n, p, a in columns],
            whole=list(compress(self._names, shown & ~in_part)),
            in_part=list(compress(self._names, shown & in_part)),
            names=self._by_key,
        )


def row_of(image: Image, shown: Shown, captions: Captions, answers: int) -> Row:
    """Return an image's row; the most probable caption is its text."""
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


def _captions(images: Sequence[Image]) -> dict[int, list[dict[str, Any]]]:
    """Return the captions of whole images by image id, the most probable first."""
    asked = Question.objects.filter(
        tile__image__in=images, kind="caption", grid=1, probability__gte=0.5
    ).order_by("-probability", "id")
    captions: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for image, text, probability, source in asked.values_list(
        "tile__image_id", "text", "probability", "source"
    ):
        captions[image].append(
            {"text": text, "confidence": round(probability, DIGITS), "source": source}
        )
    return captions


def _answers(images: Sequence[Image]) -> dict[int, int]:
    """Return the number of answers about each image, by its id."""
    asked = Question.objects.filter(tile__image__in=images, answers_count__gt=0).order_by()
    return dict(asked.values_list("tile__image_id").annotate(Sum("answers_count")))

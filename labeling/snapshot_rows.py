"""Labels → the rows of a snapshot: what an image shows, with probabilities and captions.

An image shows what its most probable tile shows. What was only seen in parts of it is named in
`in_part` and is no tag, since it is not what the image is of. A caption is kept from a probability
of one half; every concept keeps its probability.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labeling.batches import batched
from labeling.models import Concept, Image, Project, Question
from labeling.models.projects import name_key
from labeling.snapshot_folder import SPLITS, Row, Rows

TEST_SHARE = 0.05
BATCH = 500  # images

_COLUMNS = (
    *("tile__image_id", "concept__name", "text", "source"),
    *("probability", "answers_count", "verdict", "grid"),
)


@dataclass
class Labels:
    """The labels of one image."""

    concepts: dict[str, float] = field(default_factory=dict)
    asked_of_whole: set[str] = field(default_factory=set)  # concepts
    answered: set[str] = field(default_factory=set)  # concepts with an answer or a verdict
    captions: list[dict[str, Any]] = field(default_factory=list)
    answers: int = 0


def build(
    *, project: Project, include_generated: bool
) -> tuple[dict[str, list[Row]], dict[str, Image]]:
    """Return the rows of each split, by file name in order, and each file name's image."""
    images = Image.objects.filter(project=project).select_related("near_duplicate_of", "project")
    if not include_generated:
        images = images.filter(generated=False)
    concepts = list(Concept.objects.filter(project=project).order_by("name"))
    rows: dict[str, list[Row]] = {split: [] for split in SPLITS}
    sources: dict[str, Image] = {}
    for batch in batched(images.order_by("id").iterator(chunk_size=BATCH), BATCH):
        labels = labels_of(batch)
        for image in batch:
            row = row_of(image, labels[image.pk], concepts)
            rows[split_of(image)].append(row)
            sources[row["file_name"]] = image
    for split_rows in rows.values():
        split_rows.sort(key=lambda row: str(row["file_name"]))
    return rows, sources


def counts(rows: Rows) -> dict[str, int]:
    """Return what a snapshot holds: images by split and in all, captions, answers, generated."""
    every = [row for split in SPLITS for row in rows[split]]
    return {
        **{split: len(rows[split]) for split in SPLITS},
        "images": len(every),
        "captions": sum(len(row["captions"]) for row in every),
        "answers": sum(row["n_answers"] for row in every),
        "generated": sum(row["generated"] for row in every),
    }


def file_name(image: Image) -> str:
    """Return the name of an image's file in every snapshot."""
    return f"{image.sha256[:16]}{Path(str(image.file.name)).suffix}"


def split_of(image: Image) -> str:
    """Return "train" or "test": by content alone, so for ever, with near-duplicates together."""
    original = image.near_duplicate_of or image
    return "test" if int(original.sha256[:8], 16) / 2**32 < TEST_SHARE else "train"


def labels_of(images: Iterable[Image]) -> dict[int, Labels]:
    """Return the labels of images by image id."""
    labels: dict[int, Labels] = defaultdict(Labels)
    questions = Question.objects.filter(tile__image__in=images).order_by("-probability", "id")
    for row in questions.values_list(*_COLUMNS):
        image_id, concept, text, source, probability, answers, verdict, grid = row
        image = labels[image_id]
        image.answers += answers
        if concept is not None:
            image.concepts.setdefault(concept, round(probability, 4))  # most probable tile first
            if grid == 1:
                image.asked_of_whole.add(concept)
            if answers or verdict is not None:
                image.answered.add(concept)
        elif probability >= 0.5 and grid == 1:
            image.captions.append(
                {"text": text, "confidence": round(probability, 4), "source": source}
            )
    return labels


def row_of(image: Image, labels: Labels, concepts: Sequence[Concept]) -> Row:
    """Return an image's row.

    A keyword that names a concept counts as it was imported until somebody has answered about it.
    """
    imported = _imported(image, labels, concepts)
    probabilities = {
        concept.name: round(image.project.import_confidence, 4)
        if concept.name in imported
        else labels.concepts.get(concept.name, round(concept.prevalence, 4))
        for concept in concepts
    }
    shown = [name for name, probability in probabilities.items() if probability >= 0.5]
    in_part = [name for name in shown if name not in labels.asked_of_whole | imported]
    return {
        "file_name": file_name(image),
        "text": labels.captions[0]["text"] if labels.captions else "",
        "tags": _tags(image.keywords, concepts, shown=shown, in_part=in_part),
        "concepts": probabilities,
        "in_part": in_part,
        "captions": labels.captions,
        "n_answers": labels.answers,
        "license": image.license,
        "source": image.source,
        "generated": image.generated,
        "prompt": image.prompt,
        "width": image.width,
        "height": image.height,
    }


def _imported(image: Image, labels: Labels, concepts: Sequence[Concept]) -> set[str]:
    """Return the concepts among the image's keywords that nobody has answered about."""
    keywords = {name_key(keyword) for keyword in image.keywords}
    named = {concept.name for concept in concepts if concept.key in keywords}
    return named - labels.answered


def _tags(
    keywords: Sequence[str], concepts: Sequence[Concept], *, shown: list[str], in_part: list[str]
) -> list[str]:
    """Return the keywords that no concept refutes, and the concepts shown by the whole image."""
    named = {concept.key: concept.name for concept in concepts}
    tags = [named.get(name_key(keyword), keyword) for keyword in keywords]
    refuted = set(named.values()) - set(shown)
    tags = [tag for tag in tags if tag not in refuted]
    return list(dict.fromkeys([*tags, *(name for name in shown if name not in in_part)]))

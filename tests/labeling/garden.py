"""What grows in the project `garden`: images in stripes, no two alike, and their captions."""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from labeling import images, questions, snapshot_folder
from labeling.decoding import Picture
from labeling.images import duplicates, tiles
from labeling.models import Image, Project, Question, Snapshot
from labeling.snapshots import local_folder
from tests.pictures import striped


def add(project: Project, number: int, **more) -> Image:
    """Add an image unlike any other: its number in stripes."""
    (image,) = add_many(project, [number], **more)
    return image


def add_many(
    project: Project, numbers: Iterable[int], folder: str = "", **more: Any
) -> list[Image]:
    """Add such images, all at once, from a folder."""
    new_images = [
        images.NewImage(
            **{
                "picture": _prepared(number, generated=more.get("generated", False)),
                "source": f"{folder}{number}.png",
                **more,
            }
        )
        for number in numbers
    ]
    stored = images.add_many(
        project=project,
        new_images=new_images,
        duplicate_index=duplicates.DuplicateIndex(project),
    )
    return [each.image for each in stored]


@cache
def _prepared(number: int, *, generated: bool) -> Picture:
    """Return the picture of a number as it is stored, drawn and prepared once."""
    return images.preparer()(striped(number), generated=generated)


def caption(image: Image, text: str, probability: float) -> None:
    caption_many({image: text}, probability)


def caption_many(texts: Mapping[Image, str], probability: float) -> None:
    captions = [(tiles.whole(image), text) for image, text in texts.items()]
    questions.ask_captions(captions=captions, source=Question.Source.IMPORT, prior=probability)


def add_captioned(project: Project) -> None:
    """Add six images of a folder, each with a caption."""
    stored = add_many(project, range(1, 7), folder="folder/")
    caption_many({image: f"stripes, no. {n}" for n, image in enumerate(stored, 1)}, 0.9)


def probabilities(row: dict) -> dict[str, float]:
    """Return what a row says of each concept, by its name."""
    return {concept["name"]: concept["probability"] for concept in row["concepts"]}


def rows(snapshot: Snapshot) -> dict[str, dict]:
    """Return the rows of both splits by their source."""
    folder = local_folder(snapshot)
    every = [row for split in ("train", "test") for row in snapshot_folder.read_rows(folder, split)]
    return {row["source"]: row for row in every}

"""What grows in the project `garden`: images in stripes, no two alike, and their captions."""

from labeling import images, questions, snapshot_folder
from labeling.images import tiles
from labeling.models import Image, Project, Question, Snapshot
from labeling.snapshots import local_folder
from tests.pictures import striped


def add(project: Project, number: int, **more) -> Image:
    """Add an image unlike any other: its number in stripes."""
    more.setdefault("source", f"{number}.png")
    return images.add(project=project, data=striped(number), **more)[0]


def caption(image: Image, text: str, probability: float) -> None:
    questions.ask_captions(
        captions=[(tiles.whole(image), text)], source=Question.Source.IMPORT, prior=probability
    )


def probabilities(row: dict) -> dict[str, float]:
    """Return what a row says of each concept, by its name."""
    return {concept["name"]: concept["probability"] for concept in row["concepts"]}


def rows(snapshot: Snapshot) -> dict[str, dict]:
    """Return the rows of both splits by their source."""
    folder = local_folder(snapshot)
    every = [row for split in ("train", "test") for row in snapshot_folder.read_rows(folder, split)]
    return {row["source"]: row for row in every}

"""What grows in the project `garden`: images in stripes, no two alike, and their captions."""

import io
from pathlib import Path

from PIL import Image as Picture

from labeling import images, questions, snapshot_folder
from labeling.images import tiles
from labeling.models import Image, Project, Question, Snapshot


def add(project: Project, number: int, **more) -> Image:
    """Add an image unlike any other: its number in stripes."""
    picture = Picture.new("RGB", (32, 32), (number * 37 % 256, number * 91 % 256, 40))
    for bit in range(8):
        if number >> bit & 1:
            picture.paste((255, 255, 255), (bit * 4, 0, bit * 4 + 3, 32))
    file = io.BytesIO()
    picture.save(file, "PNG")
    more.setdefault("source", f"{number}.png")
    return images.add(project=project, data=file.getvalue(), **more)[0]


def caption(image: Image, text: str, probability: float) -> None:
    questions.ask_captions(
        captions=[(tiles.whole(image), text)], source=Question.Source.IMPORT, prior=probability
    )


def rows(snapshot: Snapshot) -> dict[str, dict]:
    """Return the rows of both splits by their source."""
    folder = Path(snapshot.folder)
    every = [row for split in ("train", "test") for row in snapshot_folder.read_rows(folder, split)]
    return {row["source"]: row for row in every}

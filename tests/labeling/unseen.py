"""Pictures that nobody looks at: rows without files."""

from labeling.models import Image, Project


def image_row(project: Project, number: int, **fields: object) -> Image:
    """Return an image, still to be stored, that differs from others by its number."""
    fields.setdefault("source", f"{number}")
    return Image(
        project=project,
        sha256=f"{number:064x}",
        source_sha256=f"{number:064x}",
        perceptual_hash=number,
        file=f"{number}.webp",
        width=32,
        height=32,
        **fields,
    )

"""Store images: their files by content, their rows, whole tiles, near-duplicates and source."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Func, Value

from labeling import decoding
from labeling.decoding import Picture
from labeling.images import duplicates
from labeling.models import ClassSet, Image, Pool, Project, Tile
from labeling.models.projects import name_key

KEYWORDS_MAX = 100  # of one image; more is no description
KEYWORD_LENGTH = 80
SOURCE_LENGTH = 300
LICENSE_LENGTH = 200
PROMPT_LENGTH = 500


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """A checked picture and where it came from."""

    picture: Picture
    source: str
    license: str = ""
    keywords: Sequence[str] = ()
    generated: bool = False
    prompt: str = ""
    class_set: ClassSet | None = None


@dataclass(frozen=True)
class StoredImage:
    """An image, its whole tile, and whether it is new to the project."""

    image: Image
    tile: Tile
    new: bool


def add(
    *,
    project: Project,
    data: bytes,
    source: str,
    license: str = "",
    keywords: Iterable[str] = (),
    generated: bool = False,
    prompt: str = "",
) -> tuple[Image, bool]:
    """Store one image with its whole tile; return it, and whether it is new to the project.

    Raises `ImageRejected`.
    """
    source_sha256 = hashlib.sha256(data).hexdigest()
    existing = find_stored(project=project, source_sha256s=[source_sha256])
    if existing:
        return existing[source_sha256].image, False
    new_image = NewImage(
        picture=preparer()(data),
        source=source,
        license=license,
        keywords=tuple(keywords),
        generated=generated,
        prompt=prompt,
    )
    (stored,) = add_many(
        project=project, new_images=[new_image], duplicate_index=duplicates.DuplicateIndex(project)
    )
    return stored.image, stored.new


def preparer() -> Callable[[bytes], Picture]:
    """Return `decoding.prepare` under the settings' limits, as worker processes can be sent it."""
    return partial(
        decoding.prepare,
        bytes_max=settings.IMAGE_MAX_BYTES,
        pixels_max=settings.IMAGE_MAX_PIXELS,
    )


def find_stored(*, project: Project, source_sha256s: Iterable[str]) -> dict[str, StoredImage]:
    """Return the project's images by the hash of the file as it came, of those asked for."""
    tiles = Tile.objects.filter(
        grid=1, image__project=project, image__source_sha256__in=list(source_sha256s)
    ).select_related("image")
    return {tile.image.source_sha256: StoredImage(tile.image, tile, False) for tile in tiles}


def set_keywords(image: Image, keywords: Iterable[str]) -> None:
    """Replace an image's keywords, within the limits."""
    image.keywords = _keywords(keywords)
    image.keyword_keys = [name_key(keyword) for keyword in image.keywords]
    image.save(update_fields=["keywords", "keyword_keys"])


def add_sources(image: Image, paths: Iterable[str]) -> None:
    """Remember the paths of an image's copies, of those that are not known yet."""
    known = {image.source, *image.further_sources}
    cut = dict.fromkeys(_cut(path, SOURCE_LENGTH) for path in paths)
    if new := [path for path in cut if path not in known]:
        added = Value(new, output_field=Image._meta.get_field("further_sources"))
        appended = Func(F("further_sources"), added, function="array_cat")
        Image.objects.filter(pk=image.pk).update(further_sources=appended)
        image.further_sources = [*image.further_sources, *new]


def add_many(
    *, project: Project, new_images: Sequence[NewImage], duplicate_index: duplicates.DuplicateIndex
) -> list[StoredImage]:
    """Store images and return them in the same order; those that the project has stay as they are.

    The files are written before the rows: an interruption leaves files that no row refers to and
    that the next attempt finds, never rows without files.
    """
    names = {new.picture.sha256: _write(new.picture) for new in new_images}
    with transaction.atomic():
        existing = _by_sha256(project, names)
        missing: dict[str, NewImage] = {}
        for new in new_images:
            if new.picture.sha256 not in existing:
                missing.setdefault(new.picture.sha256, new)
        created = _create(project, missing, names, duplicate_index)
        stored = {**existing, **created}
        tiles = {
            tile.image_id: tile for tile in Tile.objects.filter(grid=1, image__in=stored.values())
        }
    first = dict.fromkeys(created, True)  # a repetition within the batch is not new
    return [
        StoredImage(stored[sha256], tiles[stored[sha256].pk], first.pop(sha256, False))
        for sha256 in (new.picture.sha256 for new in new_images)
    ]


def _create(
    project: Project,
    new_images: Mapping[str, NewImage],
    names: Mapping[str, str],
    duplicate_index: duplicates.DuplicateIndex,
) -> dict[str, Image]:
    """Create images, all by SHA-256, with their whole tiles, and mark the near-duplicates."""
    Image.objects.bulk_create(
        [_row(project, new_image, names[sha256]) for sha256, new_image in new_images.items()],
        ignore_conflicts=True,
    )
    created = _by_sha256(project, new_images)
    Tile.objects.bulk_create(
        [Tile(image=image, width=image.width, height=image.height) for image in created.values()],
        ignore_conflicts=True,
    )
    _mark_duplicates(created, new_images, duplicate_index)
    Pool.objects.filter(concept__project=project, exhausted=True).update(exhausted=False)
    return created


def _by_sha256(project: Project, sha256s: Iterable[str]) -> dict[str, Image]:
    images = Image.objects.filter(project=project, sha256__in=list(sha256s))
    return {image.sha256: image for image in images}


def _row(project: Project, new_image: NewImage, name: str) -> Image:
    picture, keywords = new_image.picture, _keywords(new_image.keywords)
    return Image(
        project=project,
        sha256=picture.sha256,
        source_sha256=picture.source_sha256,
        perceptual_hash=picture.perceptual_hash,
        file=name,
        width=picture.width,
        height=picture.height,
        keywords=keywords,
        keyword_keys=[name_key(keyword) for keyword in keywords],
        class_set=new_image.class_set,
        import_confidence=project.import_confidence,
        source=_cut(new_image.source, SOURCE_LENGTH),
        license=_cut(new_image.license, LICENSE_LENGTH),
        generated=new_image.generated,
        prompt=_cut(new_image.prompt, PROMPT_LENGTH),
    )


def _keywords(keywords: Iterable[str]) -> list[str]:
    """Return each keyword once, in order, within the limits."""
    plain = (keyword.replace("\0", "").strip()[:KEYWORD_LENGTH] for keyword in keywords)
    return list(dict.fromkeys(keyword for keyword in plain if keyword))[:KEYWORDS_MAX]


def _cut(text: str, length: int) -> str:
    """Return a text that the database takes, without its beginning where it is too long."""
    text = text.replace("\0", "").encode("utf-8", "replace").decode()
    return text if len(text) <= length else "…" + text[1 - length :]


def _write(picture: Picture) -> str:
    """Write the file under its hash; return its name. One that a crash cut off is replaced."""
    name = f"images/{picture.sha256[:2]}/{picture.sha256}.{picture.suffix}"
    if default_storage.exists(name):
        if default_storage.size(name) == len(picture.data):
            return name
        default_storage.delete(name)
    return default_storage.save(name, ContentFile(picture.data))


def _mark_duplicates(
    images: Mapping[str, Image],
    new_images: Mapping[str, NewImage],
    duplicate_index: duplicates.DuplicateIndex,
) -> None:
    """Point near-duplicates at the image that they repeat."""
    repeats = []
    for sha256, new_image in new_images.items():
        image, picture = images[sha256], new_image.picture
        original = duplicate_index.original(picture.perceptual_hash, picture.data)
        if original is None:
            duplicate_index.add(image.pk, picture.perceptual_hash, picture.data)
        else:
            image.near_duplicate_of_id = original
            repeats.append(image)
    Image.objects.bulk_update(repeats, ["near_duplicate_of"])

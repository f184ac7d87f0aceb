"""Store images: their files by content, their rows, whole tiles, near-duplicates and source."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.db import connection, transaction

from labeling import bulk_insert, decoding
from labeling.decoding import Picture
from labeling.images import duplicates, files
from labeling.images.duplicates import HashedImage
from labeling.images.files import Written
from labeling.models import ClassSet, Image, Import, NewPictures, Project, Tile
from labeling.models.projects import name_key

KEYWORDS_MAX = 100  # of one image; more is no description
KEYWORD_LENGTH = 80
SOURCE_LENGTH = 300
LICENSE_LENGTH = 200
PROMPT_LENGTH = 500
LOCK = 0x1A6E5  # PostgreSQL's advisory locks of this number and a project's id


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """A checked picture and where it came from."""

    picture: Picture
    source: str
    license: str = ""
    keywords: Sequence[str] = ()
    generated: bool = False
    prompt: str = ""
    class_key: str = ""  # of the folder's name, where that is a class
    class_set: ClassSet | None = None
    imported_by: Import | None = None
    text_source: int | None = None  # the id of where its texts come from


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
        picture=preparer()(data, generated=generated),
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


def preparer() -> Callable[..., Picture]:
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


def stored_sources(*, project: Project, source_sha256s: Iterable[str]) -> set[str]:
    """Return the hashes of files as they came from which the project has images, of these."""
    images = Image.objects.filter(project=project, source_sha256__in=list(source_sha256s))
    return set(images.order_by().values_list("source_sha256", flat=True))


def save_statements(changed: Iterable[Image], fields: Iterable[str]) -> None:
    """Save what was set of images, by the names of the fields."""
    Image.objects.bulk_update(changed, fields)


def clean_keywords(keywords: Iterable[str]) -> list[str]:
    """Return each keyword once, in order, within the limits."""
    plain = (keyword.replace("\0", "").strip()[:KEYWORD_LENGTH] for keyword in keywords)
    return list(dict.fromkeys(keyword for keyword in plain if keyword))[:KEYWORDS_MAX]


def add_many(
    *,
    project: Project,
    new_images: Sequence[NewImage],
    duplicate_index: duplicates.DuplicateIndex,
    written: Written | None = None,
) -> list[StoredImage]:
    """Store images and return them in the same order; those that the project has stay as they are.

    The files are written before the rows: an interruption leaves files that no row refers to and
    that the next attempt finds, never rows without files. Whoever adds images to the same project
    at the same time waits until this transaction ends. written: what `write_ahead` wrote of them.
    """
    with transaction.atomic():
        files.hold()
        names = files.write_many([new.picture for new in new_images], written=written)
        lock(project)
        stored = _stored_by_sha256(project, names)
        missing: dict[str, NewImage] = {}
        for new in new_images:
            if new.picture.sha256 not in stored:
                missing.setdefault(new.picture.sha256, new)
        if missing:
            stored |= _create(project, missing, names, duplicate_index)
    first = dict.fromkeys(missing, True)  # a repetition within the batch is not new
    return [
        StoredImage(*stored[sha256], first.pop(sha256, False))
        for sha256 in (new.picture.sha256 for new in new_images)
    ]


def lock(project: Project) -> None:
    """Wait until nobody else adds or removes images of the project; keep others from it.

    It is held until the transaction ends, and taken before the rows of concepts and images.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, project.pk % 2**31])


def _create(
    project: Project,
    new_images: Mapping[str, NewImage],
    names: Mapping[str, str],
    duplicate_index: duplicates.DuplicateIndex,
) -> dict[str, tuple[Image, Tile]]:
    """Create images with their whole tiles, all by SHA-256, and mark the near-duplicates."""
    images = [_row(project, new_image, names[sha256]) for sha256, new_image in new_images.items()]
    bulk_insert.set_ids(images)
    duplicate_index.refresh()
    hashed_images = [
        HashedImage(image.pk, image.perceptual_hash, new_image.picture.data)
        for image, new_image in zip(images, new_images.values(), strict=True)
    ]
    originals = duplicate_index.add(hashed_images)
    for image, original in zip(images, originals, strict=True):
        image.near_duplicate_of_id = original
    bulk_insert.insert_with_ids(images)
    _announce(project, images)
    tiles = [Tile(image=image, width=image.width, height=image.height) for image in images]
    bulk_insert.insert_with_ids(tiles)
    return {image.sha256: (image, tile) for image, tile in zip(images, tiles, strict=True)}


def _announce(project: Project, images: Iterable[Image]) -> None:
    """Have the pools take notice of new pictures that people are asked about."""
    if keys := [image.random_key for image in images if not image.generated]:
        NewPictures.objects.create(project=project, grid=1, random_keys=keys)


def _stored_by_sha256(project: Project, sha256s: Iterable[str]) -> dict[str, tuple[Image, Tile]]:
    tiles = Tile.objects.filter(grid=1, image__project=project, image__sha256__in=list(sha256s))
    return {tile.image.sha256: (tile.image, tile) for tile in tiles.select_related("image")}


def _row(project: Project, new_image: NewImage, name: str) -> Image:
    picture, keywords = new_image.picture, clean_keywords(new_image.keywords)
    return Image(
        project=project,
        sha256=picture.sha256,
        source_sha256=picture.source_sha256,
        perceptual_hash=picture.perceptual_hash,
        file=name,
        width=picture.width,
        height=picture.height,
        keywords=keywords,
        stated_keys=stated_keys(keywords, [new_image.class_key]),
        class_set=new_image.class_set,
        imported_by=new_image.imported_by,
        text_source_id=new_image.text_source,
        import_confidence=project.import_confidence,
        source=cut_source(new_image.source),
        license=cut_license(new_image.license),
        generated=new_image.generated,
        prompt=_cut(new_image.prompt, PROMPT_LENGTH),
    )


def stated_keys(keywords: Iterable[str], class_keys: Iterable[str]) -> list[str]:
    """Return each key of keywords and classes once, in order."""
    return [key for key in dict.fromkeys([*map(name_key, keywords), *class_keys]) if key]


def cut_source(path: str) -> str:
    """Return a path as it is stored: without its beginning where it is too long."""
    return _cut(path, SOURCE_LENGTH)


def cut_license(text: str) -> str:
    """Return a licence as it is stored."""
    return _cut(text, LICENSE_LENGTH)


def _cut(text: str, length: int) -> str:
    """Return a text that the database takes, without its beginning where it is too long."""
    if len(text) <= length and text.isascii() and "\0" not in text:
        return text
    text = text.replace("\0", "").encode("utf-8", "replace").decode()
    return text if len(text) <= length else "…" + text[1 - length :]

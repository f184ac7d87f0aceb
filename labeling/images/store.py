"""Bytes → image: check, strip, hash, near-duplicates, provenance."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

from labeling.images import decoding, duplicates
from labeling.images.decoding import Picture
from labeling.models import Image, Project, Tile

KEYWORDS_MAX = 100  # of one picture; more is no description
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
    """Store one picture with its whole tile; False if the project has it.

    Raises `ImageRejected`.
    """
    if known := there(project=project, source_sha256s=[hashlib.sha256(data).hexdigest()]):
        return next(iter(known.values())).image, False
    new_image = NewImage(
        picture=preparer()(data),
        source=source,
        license=license,
        keywords=tuple(keywords),
        generated=generated,
        prompt=prompt,
    )
    (taken,) = add_many(
        project=project, new_images=[new_image], duplicate_index=duplicates.DuplicateIndex(project)
    )
    return taken.image, taken.new


def preparer() -> Callable[[bytes], Picture]:
    """`pictures.prepare` under the settings' limits; a worker process can be sent it."""
    return partial(
        decoding.prepare,
        bytes_max=settings.IMAGE_MAX_BYTES,
        pixels_max=settings.IMAGE_MAX_PIXELS,
    )


def there(*, project: Project, source_sha256s: Iterable[str]) -> dict[str, StoredImage]:
    """Those that the project has already, by the hash of the file as it came."""
    tiles = Tile.objects.filter(
        grid=1, image__project=project, image__source_sha256__in=list(source_sha256s)
    ).select_related("image")
    return {tile.image.source_sha256: StoredImage(tile.image, tile, False) for tile in tiles}


def add_many(
    *, project: Project, new_images: Sequence[NewImage], duplicate_index: duplicates.DuplicateIndex
) -> list[StoredImage]:
    """Take pictures in, in the order given; those that the project has stay as they are.

    The files are written before the rows: whatever is interrupted leaves files that nobody
    refers to and that the next attempt finds, never rows without files.
    """
    names = {a.picture.sha256: _store(a.picture) for a in new_images}
    with transaction.atomic():
        known = _by_sha256(project, names)
        fresh = {a.picture.sha256: a for a in new_images if a.picture.sha256 not in known}
        Image.objects.bulk_create(
            [_row(project, new_image, names[sha256]) for sha256, new_image in fresh.items()],
            ignore_conflicts=True,
        )
        added = _by_sha256(project, fresh)
        Tile.objects.bulk_create(
            [Tile(image=image, width=image.width, height=image.height) for image in added.values()],
            ignore_conflicts=True,
        )
        _flag(added, fresh, duplicate_index)
        tiles = {
            tile.image_id: tile
            for tile in Tile.objects.filter(grid=1, image__in=[*known.values(), *added.values()])
        }
    unseen = set(added)
    taken = []
    for new_image in new_images:
        sha256 = new_image.picture.sha256
        image = known.get(sha256) or added[sha256]
        taken.append(StoredImage(image, tiles[image.pk], sha256 in unseen))
        unseen.discard(sha256)
    return taken


def _by_sha256(project: Project, sha256s: Iterable[str]) -> dict[str, Image]:
    rows = Image.objects.filter(project=project, sha256__in=list(sha256s))
    return {image.sha256: image for image in rows}


def _row(project: Project, new_image: NewImage, name: str) -> Image:
    picture = new_image.picture
    return Image(
        project=project,
        sha256=picture.sha256,
        source_sha256=picture.source_sha256,
        perceptual_hash=picture.perceptual_hash,
        file=name,
        width=picture.width,
        height=picture.height,
        keywords=_keywords(new_image.keywords),
        source=_cut(new_image.source, SOURCE_LENGTH),
        license=_cut(new_image.license, LICENSE_LENGTH),
        generated=new_image.generated,
        prompt=_cut(new_image.prompt, PROMPT_LENGTH),
    )


def _keywords(words: Iterable[str]) -> list[str]:
    """Each once, in order, as short as keywords are."""
    plain = (word.replace("\0", "").strip()[:KEYWORD_LENGTH] for word in words)
    return list(dict.fromkeys(word for word in plain if word))[:KEYWORDS_MAX]


def _cut(text: str, length: int) -> str:
    text = text.replace("\0", "").encode("utf-8", "replace").decode()
    return text if len(text) <= length else "…" + text[1 - length :]


def _store(picture: Picture) -> str:
    """Write the file under its hash. One that was cut off by a crash is written again."""
    name = f"images/{picture.sha256[:2]}/{picture.sha256}.{picture.suffix}"
    if default_storage.exists(name):
        if default_storage.size(name) == len(picture.data):
            return name
        default_storage.delete(name)
    return default_storage.save(name, ContentFile(picture.data))


def _flag(
    added: dict[str, Image],
    new_images: dict[str, NewImage],
    duplicate_index: duplicates.DuplicateIndex,
) -> None:
    """Point near-duplicates at the picture that they repeat."""
    repeats = []
    for sha256, new_image in new_images.items():
        image, picture = added[sha256], new_image.picture
        found = duplicate_index.original(picture.perceptual_hash, picture.data)
        if found is None:
            duplicate_index.add(image.pk, picture.perceptual_hash, picture.data)
        else:
            image.near_duplicate_of_id = found
            repeats.append(image)
    Image.objects.bulk_update(repeats, ["near_duplicate_of"])

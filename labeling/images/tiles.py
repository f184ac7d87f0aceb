"""Cut images into tiles, and render tiles as people see them."""

import io
import os
import secrets
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from PIL import Image as Pillow

from labeling import local_files, marks, picture_cache
from labeling.models import Image, NewPictures, Question, Tile
from labeling.stored_folders import objects

LONGEST = 320  # pixels; as large as a challenge ever shows a tile
QUALITY = 90
BASE_QUALITY = 96  # of what is varied for each showing (`labeling.images.variants`)

_TILE_FIELDS = "grid", "left", "top", "width", "height"  # what a picture is made of
_IMAGE_FIELDS = "sha256", "file", "width", "height"


def whole(image: Image) -> Tile:
    """Return the tile that is the whole of the image; create it if it is missing."""
    tile, _ = Tile.objects.get_or_create(
        image=image, grid=1, position=0, defaults={"width": image.width, "height": image.height}
    )
    return tile


def cut(image: Image, grid: int = 4) -> list[Tile]:
    """Cut an image into grid × grid tiles, row by row; existing ones stay. Raises ValueError."""
    if not 1 <= grid <= min(image.width, image.height):
        raise ValueError(
            f"A picture of {image.width} × {image.height} pixels cannot be cut into "
            f"{grid} × {grid} tiles."
        )
    if grid > 1:
        cut_many([image], grid)
    else:
        Tile.objects.bulk_create(_parts(image, grid), ignore_conflicts=True)
    return list(image.tiles.filter(grid=grid).order_by("position"))


def cut_many(images: Sequence[Image], grid: int = 4) -> int:
    """Cut pictures of one project into grid × grid tiles, and ask about them by these.

    From then on they are not asked about as a whole: they leave the random slices of wholes, and
    the pools take notice of their parts. Return how many were not cut so before. Each side of them
    has `grid` pixels at least.
    """
    with transaction.atomic():
        rows = Image.objects.filter(pk__in=[image.pk for image in images]).order_by("pk")
        present = list(rows.select_for_update(of=("self",), no_key=True))  # others were removed
        new = [image for image in present if image.cut_into != grid]
        Tile.objects.bulk_create(
            [tile for image in present for tile in _parts(image, grid)], ignore_conflicts=True
        )
        Image.objects.filter(pk__in=[image.pk for image in new]).update(cut_into=grid)
        _ask_by_parts([image for image in new if not image.generated], grid)
    for image in images:
        image.cut_into = grid
    return len(new)


def _parts(image: Image, grid: int) -> list[Tile]:
    """Return the tiles of an image, row by row."""
    columns = [image.width * step // grid for step in range(grid + 1)]
    rows = [image.height * step // grid for step in range(grid + 1)]
    return [
        Tile(
            image=image,
            grid=grid,
            position=row * grid + column,
            left=columns[column],
            top=rows[row],
            width=columns[column + 1] - columns[column],
            height=rows[row + 1] - rows[row],
        )
        for row in range(grid)
        for column in range(grid)
    ]


def pack(ids: Sequence[int]) -> list[list[Any] | None]:
    """Return what `as_webp` needs of each of these tiles, as JSON; None for those that are gone."""
    of_image = [f"image__{name}" for name in _IMAGE_FIELDS]
    rows = Tile.objects.filter(pk__in=ids).order_by().values_list("pk", *_TILE_FIELDS, *of_image)
    by_id = {pk: list(values) for pk, *values in rows}
    return [by_id.get(pk) for pk in ids]


def unpack(values: Sequence[Any]) -> Tile:
    """Return the tile of such values, for `as_webp` alone."""
    count = len(_TILE_FIELDS)
    image = Image(**dict(zip(_IMAGE_FIELDS, values[count:], strict=True)))
    return Tile(image=image, **dict(zip(_TILE_FIELDS, values[:count], strict=True)))


def _ask_by_parts(images: Sequence[Image], grid: int) -> None:
    """Ask about pictures of one project by their parts from now on, and no longer as a whole."""
    if not images:
        return
    sliced = Question.objects.filter(tile__image__in=images, grid=1, slice_key__isnull=False)
    locked = sliced.order_by("pk").select_for_update(of=("self",), no_key=True)
    Question.objects.filter(pk__in=[q.pk for q in locked]).update(slice_key=None)
    NewPictures.objects.create(
        project_id=images[0].project_id,
        grid=grid,
        random_keys=[image.random_key for image in images],
    )


def as_webp(tile: Tile, *, longest: int = LONGEST) -> bytes:
    """Return the tile as WebP, no side longer than `longest` pixels; render it once."""
    image = tile.image
    if tile.grid == 1 and max(image.width, image.height) <= longest and _is_webp(image):
        return _read(image)
    return _rendered(tile, longest, "WEBP", quality=QUALITY, method=0)


def open_rendered(tile: Tile, *, longest: int = LONGEST) -> Pillow.Image:
    """Open the tile in RGB, no side longer than `longest`; render it once, nearly without loss."""
    data = _rendered(tile, longest, "JPEG", quality=BASE_QUALITY, subsampling=0)
    return Pillow.open(io.BytesIO(data), formats=("JPEG",))


def _rendered(tile: Tile, longest: int, format_: str, **options: int) -> bytes:
    """Return the tile in a format, from the cache where it was rendered before."""
    path = _cache_path(tile, longest, format_)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = _shared(tile, path.name) or _render(tile, longest, format_, **options)
    else:
        picture_cache.note_use(path)
        return data
    with suppress(OSError):  # as of a full disk: it is rendered again the next time
        _keep(path, data)
    return data


def _keep(path: Path, data: bytes) -> None:
    """Write what was rendered into the cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    picture_cache.note_written(len(data))


def share_rendered(tile: Tile) -> None:
    """Put what `open_rendered` gives into a storage elsewhere, for other machines.

    They then need not read a large picture to show a part of it. Where the storage is a folder of
    this machine, or has it already, do nothing. Raises StorageAway.
    """
    path = _cache_path(tile, LONGEST, "JPEG")
    name = f"{_shared_folder(tile.image.sha256)}/{path.name}"
    if objects.local_path(name) is None and not objects.is_there(name, path.stat().st_size):
        objects.upload(path, name)


def _shared(tile: Tile, name: str) -> bytes | None:
    """Return a tile that another machine rendered and shared; None where there is none."""
    name = f"{_shared_folder(tile.image.sha256)}/{name}"
    if not name.endswith(".jpeg") or objects.local_path(name) is not None:
        return None
    with suppress(FileNotFoundError):
        return objects.read(name)
    return None


def _shared_folder(sha256: str) -> str:
    return f"tiles/{sha256[:2]}/{sha256}"


def forget_rendered(sha256s: Collection[str]) -> None:
    """Delete what was rendered, on this machine and in the storage, of images of these contents.

    Raises StorageAway.
    """
    for sha256 in sha256s:
        shared = _shared_folder(sha256)
        if objects.local_path(shared) is None:
            for stored in objects.walk(shared):
                objects.delete(stored)
    by_folder: dict[str, set[str]] = defaultdict(set)
    for sha256 in sha256s:
        by_folder[sha256[:2]].add(sha256)
    for name, contents in by_folder.items():
        folder = Path(settings.CACHE_ROOT) / picture_cache.TILES / name
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name.partition("-")[0] in contents:
                path.unlink(missing_ok=True)


def _is_webp(image: Image) -> bool:
    return str(image.file.name).endswith(".webp")


def _read(image: Image) -> bytes:
    return local_files.read(str(image.file.name))


def _cache_path(tile: Tile, longest: int, format_: str) -> Path:
    """Return the path of a rendered tile, named by the image's content and the rectangle."""
    sha256 = tile.image.sha256
    box = f"{tile.left}-{tile.top}-{tile.width}-{tile.height}"
    name = f"{sha256}-{box}-{longest}.{format_.lower()}"
    return Path(settings.CACHE_ROOT) / picture_cache.TILES / sha256[:2] / name


def _render(tile: Tile, longest: int, format_: str, **options: int) -> bytes:
    box = (tile.left, tile.top, tile.left + tile.width, tile.top + tile.height)
    with Pillow.open(io.BytesIO(_read(tile.image)), formats=("WEBP", "JPEG")) as image:
        mark = marks.of_image(image) if format_ == "WEBP" else None  # what is varied has none
        if tile.grid == 1:  # before a JPEG is read, which then is read at a fraction of its size
            image.thumbnail((longest, longest), Pillow.Resampling.LANCZOS)
            rectangle = image.convert("RGB")
        else:
            rectangle = image.convert("RGB").crop(box)
    rectangle.thumbnail((longest, longest), Pillow.Resampling.LANCZOS)
    file = io.BytesIO()
    rectangle.save(file, format_, **options, **marks.saving(format_, mark))
    return file.getvalue()

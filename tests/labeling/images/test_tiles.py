from pathlib import Path

import pytest

from labeling import marks
from labeling.images import rendering, tiles, variants
from labeling.marks import SYSTEM, Mark, hash_of_prompt
from labeling.models import Tile
from labeling.stored_folders import StorageAway
from tests.pictures import decoded, encoded, jpeg, patchwork, png

pytestmark = pytest.mark.django_db


def test_the_whole_tile_is_the_picture(add):
    image = add(png())
    tile = tiles.whole(image)
    assert (tile.left, tile.top, tile.width, tile.height) == (0, 0, 96, 64)
    assert tiles.whole(image) == tile


@pytest.mark.parametrize(("grid", "size"), [(4, (96, 64)), (4, (101, 67)), (3, (50, 31))])
def test_tiles_cover_the_picture_without_overlap(add, grid, size):
    image = add(png(size=size))
    cut = tiles.cut(image, grid)
    covered = [[0] * size[0] for _ in range(size[1])]
    for tile in cut:
        for y in range(tile.top, tile.top + tile.height):
            for x in range(tile.left, tile.left + tile.width):
                covered[y][x] += 1
    assert {cell for row in covered for cell in row} == {1}
    assert [tile.position for tile in cut] == list(range(grid * grid))


def test_cutting_twice_adds_nothing(add):
    image = add(png())
    assert tiles.cut(image) == tiles.cut(image)
    assert Tile.objects.count() == 17


def test_it_does_not_cut_into_more_tiles_than_pixels(add):
    with pytest.raises(ValueError, match="cannot be cut into 70 × 70"):
        tiles.cut(add(png()), 70)


def test_a_small_picture_is_shown_as_it_is_stored(add):
    image = add(png())
    assert tiles.as_webp(tiles.whole(image)) == Path(image.file.path).read_bytes()


def test_a_tile_shows_its_rectangle(add):
    image = add(png(2, (400, 400)))
    tile = tiles.cut(image)[5]
    shown = decoded(tiles.as_webp(tile)).convert("RGB")
    expected = patchwork(2, (400, 400)).crop((100, 100, 200, 200))
    assert shown.size == (100, 100)
    apart = [
        abs(a - b) for a, b in zip(shown.tobytes(), expected.tobytes(), strict=True)
    ]  # lossy, and near
    assert sum(apart) / len(apart) < 6


def test_a_large_picture_is_shown_smaller_with_its_shape(add):
    image = add(jpeg(size=(1200, 800)))
    assert image.file.name.endswith(".jpg")
    shown = decoded(tiles.as_webp(tiles.whole(image)))
    assert (shown.format, shown.size) == ("WEBP", (320, 213))
    assert decoded(tiles.as_webp(tiles.whole(image), longest=96)).size == (96, 64)


def test_a_tile_is_rendered_once(add, settings):
    image = add(jpeg(size=(800, 800)))
    tile = tiles.cut(image)[0]
    first = tiles.as_webp(tile)
    image.file.storage.delete(image.file.name)
    assert tiles.as_webp(tile) == first
    assert len([path for path in settings.CACHE_ROOT.rglob("*") if path.is_file()]) == 1


def test_nothing_but_pixels_is_shown(add):
    tile = tiles.whole(add(encoded(patchwork(1, (500, 500)), "JPEG", comment=b"SECRET")))
    assert b"SECRET" not in tiles.as_webp(tile)


def test_what_a_model_drew_is_marked_where_it_is_shown_but_not_in_a_challenge(add):
    mark = Mark(system=SYSTEM, prompt_sha256=hash_of_prompt("a red apple"))
    drawn = add(encoded(patchwork(2, (400, 400)), "PNG", **marks.saving("PNG", mark)))
    whole, *parts = tiles.whole(drawn), *tiles.cut(drawn)
    assert {marks.of_bytes(tiles.as_webp(tile)) for tile in (whole, parts[5])} == {mark}
    shown = variants.render(whole, showing="a/1")
    assert marks.of_bytes(shown) is None and b"Tessera" not in shown


def test_what_a_worker_rendered_is_shown_by_another_machine(remote, add, settings, tmp_path):
    image = add(png(size=(640, 480)))
    tile = tiles.cut(image)[0]
    settings.CACHE_ROOT = tmp_path / "worker"
    rendering.render([tile.pk])
    settings.CACHE_ROOT = tmp_path / "web"
    remote.asked.clear()
    shown = tiles.open_rendered(tile)
    assert shown.size == (160, 120)
    assert not any(image.file.name in request for request in remote.asked), "nor is it decoded"
    settings.CACHE_ROOT = tmp_path / "web 2"
    tiles.forget_rendered([image.sha256])
    assert not [key for key in remote.keys("files") if key.startswith("tiles/")]
    assert tiles.open_rendered(tile).size == (160, 120)


def test_a_storage_that_is_away_is_no_picture_that_is_gone(remote, add, settings, tmp_path):
    tile = tiles.whole(add(png(size=(640, 480))))
    remote.refuse("GET", 1)
    with pytest.raises(StorageAway):
        tiles.open_rendered(tile)
    assert tiles.open_rendered(tile)

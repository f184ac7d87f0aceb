"""The pictures of tiles, for the members of their project alone."""

from django.contrib.auth.models import User
from django.test import Client

from labeling.models import Image, Membership, Project, Tile


def test_a_tile_comes_as_a_picture_that_browsers_may_keep(
    ada_client: Client, shapes: Project
) -> None:
    tile = Tile.objects.all()[0].pk
    for size in ("", "large/"):
        response = ada_client.get(f"/projects/shapes/tiles/{tile}/{size}")
        assert response["Content-Type"] == "image/webp" and response.content[8:12] == b"WEBP"
        assert response["Cache-Control"] == "private, max-age=86400, immutable"


def test_only_members_see_it_and_only_at_its_own_project(
    client: Client, shapes: Project, carol: User
) -> None:
    address = f"/projects/shapes/tiles/{Tile.objects.all()[0].pk}/"
    assert client.get(address).status_code == 302
    client.force_login(carol)
    assert client.get(address).status_code == 404
    Membership.objects.create(project=shapes, user=carol, role="viewer")
    assert client.get(address).status_code == 200
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere")
    Membership.objects.create(project=elsewhere, user=carol, role="owner")
    assert client.get(address.replace("shapes", "elsewhere")).status_code == 404
    assert client.get("/projects/shapes/tiles/987654/").status_code == 404


def test_a_picture_whose_file_has_gone_is_not_found(ada_client: Client, shapes: Project) -> None:
    tile = Tile.objects.select_related("image")[0]
    Image.objects.filter(pk=tile.image_id).update(file="gone.webp", sha256="f" * 64)
    for size in ("", "large/"):
        assert ada_client.get(f"/projects/shapes/tiles/{tile.pk}/{size}").status_code == 404

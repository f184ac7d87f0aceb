"""Removing pictures in the admin, and reading what is left of them."""

import pytest
from django.urls import reverse

from labeling import removal
from labeling.models import Event, Image, RemovedAnswer, RemovedImage
from tests.cast import allow, answer

pytestmark = pytest.mark.django_db
LIST = "admin:labeling_image_changelist"


def remove(client, image, reason: str):
    chosen = {"action": "remove_selected", "_selected_action": [image.pk], "reason": reason}
    return client.post(reverse(LIST), chosen, follow=True)


def test_pictures_are_removed_with_a_reason(shapes, alice, ada_client):
    image = shapes.images.first()
    question = image.tiles.get().questions.first()
    answer(alice, {question.pk: True})
    assert "Say why" in remove(ada_client, image, "").content.decode()
    assert Image.objects.filter(pk=image.pk).exists()
    page = remove(ada_client, image, "a licence plate")
    assert "Removed 1 picture with 1 answer." in page.content.decode()
    assert (RemovedAnswer.objects.count(), Event.objects.get(kind="import").actor) == (1, "ada")


def test_who_may_only_look_at_pictures_removes_none(shapes, bea, client):
    allow(bea, "view_image")
    client.force_login(bea)
    assert "remove_selected" not in client.get(reverse(LIST)).content.decode()
    remove(client, shapes.images.first(), "a licence plate")
    assert not RemovedImage.objects.exists()


@pytest.mark.parametrize("kind", ["removedimage", "removedanswer"])
def test_what_was_removed_can_be_read_and_not_changed(shapes, alice, ada_client, kind):
    image = shapes.images.first()
    answer(alice, {image.tiles.get().questions.first().pk: True})
    removal.remove([image], by=None, reason="a licence plate")
    page = ada_client.get(reverse(f"admin:labeling_{kind}_changelist"))
    assert image.source in page.content.decode()
    row = (RemovedImage if kind == "removedimage" else RemovedAnswer).objects.get()
    address = reverse(f"admin:labeling_{kind}_change", args=[row.pk])
    assert ada_client.get(address).status_code == 200
    assert ada_client.post(address, {}).status_code == 403

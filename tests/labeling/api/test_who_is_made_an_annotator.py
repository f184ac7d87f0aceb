"""Nobody becomes an annotator by looking: by GET, HEAD, OPTIONS, or what is refused."""

import pytest
from django.test import Client

from labeling.models import AddressDay, Annotator
from tests.labeling.api.endpoints import API, ENDPOINTS

pytestmark = pytest.mark.django_db
PAGES = """
/ /take-part/ /take-part/shapes/ /take-part/nothing/ /your-answers/
/your-answers/withdraw/ /your-answers/forget-me/ /sign-in/ /sign-up/ /draw/ /projects/ /account/
/robots.txt /favicon.ico /api/schema/ /invitations/none/
"""
BAD_BODIES = b"", b"{", b"[]", b'{"project": 1}', b'{"project": "nothing"}', b'{"kind": "grid"}'


def test_looking_makes_no_annotator(ids):
    before, newcomers = Annotator.objects.count(), list(AddressDay.objects.values("newcomers"))
    addresses = [API + endpoint.path.format(**ids) for endpoint in ENDPOINTS] + PAGES.split()
    for address in addresses:
        for method in ("get", "head", "options"):
            response = getattr(Client(), method)(address)
            assert response.status_code < 500, (method, address)
    assert Annotator.objects.count() == before
    assert list(AddressDay.objects.values("newcomers")) == newcomers


def test_what_is_refused_makes_no_annotator(ids):
    before = Annotator.objects.count()
    for endpoint in ENDPOINTS:
        if endpoint.post is None or endpoint.path.endswith("practice/skip/"):
            continue
        for body in BAD_BODIES:
            address = API + endpoint.path.format(**ids)
            response = Client().post(address, body, content_type="application/json")
            assert response.status_code < 500, address
    assert Annotator.objects.count() == before

"""Limits count those together who share an address, and believe no header without a proxy."""

import pytest
from django.test import RequestFactory
from rest_framework.settings import api_settings

from labeling.addresses import client_address


def address(remote: str, forwarded: str = "") -> str:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    return client_address(RequestFactory(REMOTE_ADDR=remote, headers=headers).get("/"))


def test_an_ipv4_address_is_itself():
    assert address("192.0.2.1") == "192.0.2.1"
    assert address("::ffff:192.0.2.1") == "192.0.2.1"


def test_an_ipv6_address_is_its_network():
    assert address("2001:db8::1") == address("2001:db8:0:0:ffff::2") == "2001:db8::/64"


def test_without_a_proxy_nobody_is_believed():
    assert address("192.0.2.1", "203.0.113.9") == "192.0.2.1"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.9.9.9, 203.0.113.9", "203.0.113.9"),  # what comes before may be made up
        (2, "10.9.9.9, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (2, "203.0.113.9", "203.0.113.9"),
        (1, "nonsense", "nonsense"),
        (1, "203.0.113.9, ", "10.0.0.1"),  # nobody is without an address, and so without limits
        (1, "203.0.113.9:50123", "203.0.113.9"),  # as some proxies write it
        (1, "[2001:db8::1]:50123", "2001:db8::/64"),
        (1, "[2001:db8::1]", "2001:db8::/64"),
    ],
)
def test_a_proxy_says_who_is_behind_it(monkeypatch, proxies, forwarded, expected):
    monkeypatch.setattr(api_settings, "NUM_PROXIES", proxies)
    assert address("10.0.0.1", forwarded) == expected

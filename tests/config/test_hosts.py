"""Settings that list hosts."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.settings import _hosts


def test_hosts_are_named_without_scheme_and_port(monkeypatch):
    monkeypatch.setenv("WEBHOOK_HOSTS", "labels.example.org, ::1,127.0.0.1")
    assert _hosts("WEBHOOK_HOSTS") == ["labels.example.org", "::1", "127.0.0.1"]


@pytest.mark.parametrize("wrong", ["http://127.0.0.1", "127.0.0.1:8000", "a.example/hook"])
def test_an_address_is_no_host(monkeypatch, wrong):
    monkeypatch.setenv("WEBHOOK_HOSTS", wrong)
    with pytest.raises(ImproperlyConfigured, match="no scheme or port"):
        _hosts("WEBHOOK_HOSTS")

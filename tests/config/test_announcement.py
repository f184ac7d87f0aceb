"""A server that starts without a user says where the first one is made."""

import logging

import pytest
from django.contrib.auth.models import User
from django.db import connections

from config import announcement
from labeling.accounts import set_up


@pytest.mark.django_db(transaction=True)
def test_a_server_without_a_user_prints_the_code_once_a_start(caplog) -> None:
    with caplog.at_level(logging.WARNING):
        announcement.announce()
        assert set_up.path() in caplog.text
        caplog.clear()
        User.objects.create_user("carol")
        announcement.announce()
    assert caplog.text == ""


@pytest.mark.django_db(transaction=True)
def test_the_address_is_whole_where_the_settings_say_the_sites_name(settings, caplog) -> None:
    settings.ALLOWED_HOSTS, settings.HTTPS = ["*", ".example.org", "labels.example.org"], True
    announcement.announce()
    assert f"https://labels.example.org{set_up.path()}" in caplog.text


@pytest.mark.django_db
def test_a_database_that_is_away_stops_no_server(monkeypatch, caplog) -> None:
    settings = connections["default"].settings_dict | {"HOST": "/nowhere", "OPTIONS": {}}
    monkeypatch.setattr(connections["default"], "settings_dict", settings)
    announcement.announce()
    assert caplog.text == ""

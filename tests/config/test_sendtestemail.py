"""Whoever sets mail up learns whether it works."""

import pytest
from django.core.mail.backends import smtp
from django.core.management import CommandError, call_command

TO = "ada@example.org"


def test_without_a_mail_server_it_says_what_to_set(settings):
    settings.EMAIL_HOST = ""
    with pytest.raises(CommandError, match="EMAIL_HOST is not set"):
        call_command("sendtestemail", TO)


def test_a_server_that_is_away_is_named_in_a_sentence(settings, monkeypatch):
    settings.EMAIL_BACKEND = f"{smtp.__name__}.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(CommandError, match=r"127\.0\.0\.1:9 did not take the message \(Connecti"):
        call_command("sendtestemail", TO)


def test_a_message_is_sent(settings, mailoutbox, capsys):
    settings.EMAIL_HOST = "mail.example"
    call_command("sendtestemail", TO)
    assert [message.to for message in mailoutbox] == [[TO]]
    assert "mail.example:587 took the message" in capsys.readouterr().out

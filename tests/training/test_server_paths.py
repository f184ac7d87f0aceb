"""Whoever does not run the server reads no paths of it."""

import pytest
from django.contrib.auth.models import AnonymousUser, User

from training import server_paths


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("The folder of snapshot 7 (/srv/t/snap/demo-7) has gone", "(demo-7) has gone"),
        ("/var/lib/tessera/runs/7/config.json: it is missing.", "config.json: it is missing."),
        ('File "/usr/lib/python3/site-packages/a.py", line 3', 'File "a.py", line 3'),
        ("its folder /srv/t/ is full", "its folder  is full"),
    ],
)
def test_folders_are_left_out(text: str, hidden: str) -> None:
    assert server_paths.hidden(text).endswith(hidden)
    assert server_paths.as_shown_to(AnonymousUser(), text) == server_paths.hidden(text)
    assert server_paths.as_shown_to(User(is_staff=True), text) == text


@pytest.mark.parametrize("text", ["https://example.org/a/b", "and/or", "3/4 of 7/8", "images/s"])
def test_what_is_no_path_stays(text: str) -> None:
    assert server_paths.hidden(text) == text

"""Tokens: what a program may do in somebody's name, and for how long."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling import tokens
from labeling.models import Membership, Token

pytestmark = pytest.mark.django_db
MINE = "/api/v1/me/tokens/"
PROJECT = "/api/v1/projects/shapes/"
JSON = "application/json"


def program(user, *scopes: str, **options) -> Client:
    """A program of somebody's, with a token for these scopes."""
    _token, secret = tokens.make(user=user, name="script", scopes=scopes, **options)
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_only_a_hash_of_the_secret_is_kept(olga):
    token, secret = tokens.make(user=olga, name="script", scopes=["read"])
    stored = Token.objects.values().get()
    assert secret not in map(str, stored.values()) and secret.startswith(token.start)
    assert tokens.find(secret) == token and tokens.find(secret[:-1]) is None


@pytest.mark.parametrize(
    ("scopes", "method", "path", "lacks"),
    [
        (["read"], "get", f"{PROJECT}concepts/", ""),
        (["own"], "get", f"{PROJECT}concepts/", "read"),
        (["read"], "post", f"{PROJECT}concepts/", "own"),
        (["own"], "post", f"{PROJECT}concepts/", ""),
        (["read", "own"], "post", f"{PROJECT}decisions/", "review"),
        (["review"], "post", f"{PROJECT}decisions/", ""),
        (["read"], "get", f"{PROJECT}invitations/", "own"),
        (["read"], "post", "/api/v1/challenges/", "annotate"),
        (["annotate"], "post", "/api/v1/challenges/", ""),
        (["annotate", "review"], "get", "/api/v1/projects/", "read"),
        (["annotate"], "post", "/api/v1/projects/", "own"),
        (["read"], "post", MINE, "own"),
    ],
)
def test_a_token_is_for_its_scopes_alone(olga, scopes, method, path, lacks):
    response = getattr(program(olga, *scopes), method)(path, content_type=JSON)
    if lacks:
        assert response.status_code == 403 and response.json()["code"] == "scope"
        assert response.json()["scope"] == lacks and lacks in response.json()["detail"]
        assert f'scope="{lacks}"' in response["WWW-Authenticate"]
    else:
        assert response.status_code in (200, 201, 400), response.content


def test_scopes_give_nobody_what_their_role_does_not(shapes, bea):
    Membership.objects.create(project=shapes, user=bea, role="viewer")
    everything = program(bea, "read", "annotate", "review", "own")
    assert everything.get(f"{PROJECT}concepts/").status_code == 200
    refused = everything.post(f"{PROJECT}concepts/", {"name": "ring"}, content_type=JSON)
    assert refused.status_code == 403 and refused.json()["code"] == "permission_denied"


def test_a_token_ends(olga):
    client, expiring = program(olga, "read"), program(olga, "read", days=1)
    assert client.get(MINE).status_code == expiring.get(MINE).status_code == 200
    Token.objects.exclude(expires_at=None).update(expires_at=timezone.now())
    assert expiring.get(MINE).status_code == 401
    Token.objects.update(expires_at=None)
    assert client.get(MINE).status_code == 200
    tokens.revoke_all(olga.pk)
    refused = client.get(MINE)
    assert refused.status_code == 401 and refused["WWW-Authenticate"] == "Bearer"


def test_nobody_who_left_has_a_valid_token(olga):
    client = program(olga, "read")
    olga.is_active = False
    olga.save()
    assert client.get("/api/v1/projects/").status_code == 401


def test_the_last_use_is_written_once_a_minute(olga):
    client = program(olga, "read")
    client.get(MINE)
    used = Token.objects.get().last_used_at
    client.get(MINE)
    assert Token.objects.get().last_used_at == used
    Token.objects.update(last_used_at=used - timedelta(minutes=2))
    client.get(MINE)
    assert Token.objects.get().last_used_at >= used


def test_a_program_makes_no_token_for_more_than_its_own(olga):
    client = program(olga, "read", "own", days=3)
    body = {"name": "other", "scopes": ["read", "review"]}
    assert client.post(MINE, body, content_type=JSON).status_code == 403
    made = client.post(MINE, body | {"scopes": ["read"], "days": None}, content_type=JSON).json()
    assert Token.objects.get(pk=made["id"]).expires_at <= timezone.now() + timedelta(days=3)
    listed = client.get(MINE).json()["results"]
    assert [row["name"] for row in listed] == ["other", "script"]
    assert not any("secret" in row for row in listed)


def test_tokens_are_nobody_elses(olga, bea):
    theirs, _secret = tokens.make(user=bea, name="theirs", scopes=["read"])
    client = program(olga, "read", "own")
    assert client.delete(f"{MINE}{theirs.pk}/").status_code == 404
    assert Token.objects.get(pk=theirs.pk).is_valid


def test_nobody_has_more_tokens_than_fifty(olga, monkeypatch):
    monkeypatch.setattr(tokens, "MOST", 1)
    client = program(olga, "read", "own")
    refused = client.post(MINE, {"name": "more", "scopes": ["read"]}, content_type=JSON)
    assert refused.status_code == 400 and "revoke one" in refused.json()["detail"]


def test_the_account_page_makes_and_revokes_tokens(client, olga):
    client.force_login(olga)
    body = {"name": "Nightly export", "scopes": ["read"], "days": "30"}
    page = client.post("/account/token/", body).content.decode()
    token = Token.objects.get()
    secret = page.partition('value="tessera_')[2].partition('"')[0]
    assert tokens.find(f"tessera_{secret}") == token
    later = client.get("/account/").content.decode()
    assert secret not in later and "Nightly export" in later
    client.post(f"/account/token/{token.pk}/revoke/")
    assert "Nightly export" not in client.get("/account/").content.decode()
    assert tokens.find(f"tessera_{secret}") is None


def test_the_account_page_says_what_a_token_lacks(client, olga):
    client.force_login(olga)
    page = client.post("/account/token/", {"name": "x", "days": "90"})
    assert not Token.objects.exists() and b"errorlist" in page.content

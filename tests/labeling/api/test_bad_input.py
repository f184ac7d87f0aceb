"""Whatever is sent, the status is right, the error says what to do, and nothing is written."""

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.signing import Signer
from django.test import Client
from django.utils import timezone

from labeling import challenges
from labeling.models import Annotator, Answer, Challenge, Question

pytestmark = pytest.mark.django_db
URL = "/api/v1/challenges/"
DEEP = "[" * 100_000 + "]" * 100_000
HUGE = 10**30


@pytest.fixture
def anonymous(client: Client) -> Client:
    client.raise_request_exception = False
    return client


@pytest.fixture
def shown(anonymous, shapes):
    """A grid, and the token that answers it."""
    body = {"project": "shapes", "kind": "grid"}
    return anonymous.post(URL, body, content_type="application/json").json()


def everything() -> list:
    """All that an answer may change."""
    tables = Question, Answer, Annotator
    return [list(table.objects.order_by("pk").values()) for table in tables]


def send(client: Client, url: str):
    if "/tiles/" in url:
        return client.get(url)
    return client.post(url, {"selected": []}, content_type="application/json")


def refused(response, status: int, code: str, what: object = "") -> None:
    assert response.status_code == status, (repr(what)[:100], response.content)
    body = response.json()
    assert set(body) == {"type", "title", "status", "code", "detail"} and body["code"] == code, (
        repr(what)[:100]
    )
    assert body["detail"] and "Traceback" not in body["detail"]


NONSENSE = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"7",
    b'"shapes"',
    b"\xff\xfe\x00binary\x9d",
    b"\x00" * 50,
    DEEP.encode(),
    b'{"project": ' + DEEP.encode() + b"}",
    b'{"project": NaN}',
    b'{"project": ' + b"9" * 5000 + b"}",
    b"{}",
    b'{"project": null}',
    b'{"project": ""}',
    b'{"project": {"slug": "shapes"}}',
    b'{"project": "sha\\u0000pes"}',
    b'{"project": "\\ud800"}',
    b'{"project": "../shapes"}',
    b'{"project": "' + b"a" * 1000 + b'"}',
    b'{"project": "shapes", "kind": "quiz"}',
    b'{"project": "shapes", "kind": 3}',
    b'{"project": "shapes", "kind": ["grid"]}',
    b'{"project": "shapes", "kind": {}}',
]


def test_it_refuses_to_make_sense_of_a_request(anonymous, shapes):
    before = everything()
    for body in NONSENSE:
        response = anonymous.post(URL, body, content_type="application/json")
        refused(response, 400, "invalid", body)
    assert everything() == before and not Challenge.objects.exists()


def test_it_says_that_a_project_is_unknown(anonymous, shapes):
    response = anonymous.post(URL, {"project": "nowhere"}, content_type="application/json")
    refused(response, 404, "not_found")
    assert not Annotator.objects.exists()


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        ("text/plain", 415, "unsupported_media_type"),
        ("multipart/form-data; boundary=x", 415, "unsupported_media_type"),
    ],
)
def test_it_takes_json_only(anonymous, shapes, content_type, status, code):
    response = anonymous.generic("POST", URL, b'{"project": "shapes"}', content_type)
    refused(response, status, code)


def test_it_refuses_more_than_it_will_read(anonymous, shapes, settings):
    body = json.dumps({"project": "shapes", "more": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE})
    refused(anonymous.post(URL, body, content_type="application/json"), 413, "too_large")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_it_says_that_a_method_is_not_for_this(anonymous, shapes, method):
    refused(getattr(anonymous, method)(URL), 405, "method_not_allowed")


NO_ANSWERS = [
    {},
    {"yes": True},
    {"text": "a circle"},
    {"selected": None},
    {"selected": 3},
    {"selected": "1,2"},
    {"selected": {"1": True}},
    {"selected": ["1"]},
    {"selected": [1.5]},
    {"selected": [True]},
    {"selected": [None]},
    {"selected": [[1]]},
    {"selected": [0]},
    {"selected": [-1]},
    {"selected": [10]},
    {"selected": [1, 1]},
    {"selected": [HUGE]},
    {"selected": list(range(1, 10)) * 1000},
    {"selected": [1], "seconds": "soon"},
    {"selected": [1], "seconds": -1},
    {"selected": [1], "seconds": HUGE},
    {"selected": [1], "seconds": True},
    {"selected": [1], "seconds": [3]},
    {"selected": [1], "yes": "true"},
    {"selected": [1], "text": {"a": 1}},
    {"selected": [1], "text": "\0"},
    [1, 2],
    "all",
    None,
]


def test_it_refuses_an_answer_that_answers_nothing(anonymous, shown):
    before = everything()
    url = f"{URL}{shown['token']}/answer/"
    for body in NO_ANSWERS:
        response = anonymous.post(url, json.dumps(body), content_type="application/json")
        refused(response, 400, "invalid", body)
    assert everything() == before
    assert anonymous.post(url, {"selected": []}, content_type="application/json").status_code == 200


NEITHER = [
    {},
    {"yes": None},
    {"yes": 1},
    {"yes": "yes"},
    {"yes": []},
    {"selected": [1]},
    {"text": ""},
    {"text": "ab"},
    {"text": "x" * 301},
    {"text": "x" * 100_000},
    {"text": "12345"},
    {"text": ["a circle"]},
    {"text": None},
    {"text": "a circle\0"},
    {"text": "a \x1b[31mred\x1b[0m circle"},
    {"text": "see https://example.org now"},
    {"text": "write to me@example.org"},
    {"text": "buy at www.example"},
    {"text": "a <b>red</b> circle"},
    {"text": "<script>alert(1)</script>"},
    {"text": "\ud800 circle"},
]


@pytest.mark.parametrize("kind", ["verify", "write"])
def test_it_refuses_what_is_neither_yes_nor_no_nor_a_caption(anonymous, shapes, kind):
    body = {"project": "shapes", "kind": kind}
    token = anonymous.post(URL, body, content_type="application/json").json()["token"]
    before = everything()
    url = f"{URL}{token}/answer/"
    for body in NEITHER:
        response = anonymous.post(url, json.dumps(body), content_type="application/json")
        refused(response, 400, "invalid", body)
    assert everything() == before


FORGED = [
    "x",
    "0" * 32,
    "%00",
    "a.b",
    "." * 50,
    "x" * 5000,
    str(uuid4()),
    f"{uuid4().hex}.forged",
    Signer(key="another key", sep=".", salt="labeling.challenges").sign(uuid4().hex),
    "%F0%9F%92%A9",
    "%ED%A0%80",
]


@pytest.mark.parametrize("what", ["answer/", "skip/", "undo/", "tiles/1/"])
def test_it_knows_a_forged_token(anonymous, shown, what):
    before = everything()
    for token in FORGED:
        refused(send(anonymous, f"{URL}{token}/{what}"), 403, "forged", token)
    assert everything() == before


def test_it_knows_a_token_with_another_signature(anonymous, shown):
    token = shown["token"][:-1] + ("A" if shown["token"][-1] != "A" else "B")
    refused(anonymous.get(f"{URL}{token}/tiles/1/"), 403, "forged")


@pytest.mark.parametrize("what", ["answer/", "skip/", "undo/", "tiles/1/"])
def test_it_gives_nobody_the_challenge_of_somebody_else(anonymous, shown, what):
    before = everything()
    refused(send(Client(), f"{URL}{shown['token']}/{what}"), 403, "foreign")
    assert everything() == before


@pytest.mark.parametrize("what", ["answer/", "skip/"])
def test_it_says_that_a_challenge_has_expired(anonymous, shown, what):
    Challenge.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    before = everything()
    refused(send(anonymous, f"{URL}{shown['token']}/{what}"), 410, "expired")
    assert everything() == before


def test_it_says_that_a_challenge_is_gone(anonymous, shown):
    Challenge.objects.all().delete()
    refused(anonymous.get(f"{URL}{shown['token']}/tiles/1/"), 410, "expired")


@pytest.mark.parametrize("number", ["0", "10", "999999999999999999999999"])
def test_it_has_no_other_tiles(anonymous, shown, number):
    refused(anonymous.get(f"{URL}{shown['token']}/tiles/{number}/"), 404, "not_found")


@pytest.mark.parametrize("cookie", ["", "alice", "alice:forged", "\x7f" * 40, "x" * 3000])
def test_a_forged_cookie_is_a_new_visitor(anonymous, shapes, alice, settings, cookie):
    anonymous.cookies[settings.PSEUDONYM_COOKIE] = cookie
    response = anonymous.post(URL, {"project": "shapes"}, content_type="application/json")
    assert response.status_code == 201
    challenge = Challenge.objects.get()
    assert challenge.annotator != alice
    assert response.cookies[settings.PSEUDONYM_COOKIE].value


def test_an_answered_challenge_stays_answered_after_it_expires(anonymous, shown):
    url = f"{URL}{shown['token']}/answer/"
    anonymous.post(url, {"selected": []}, content_type="application/json")
    Challenge.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    again = anonymous.post(url, {"selected": [1]}, content_type="application/json")
    refused(again, 409, "answered")


def test_a_visitor_needs_the_csrf_token(shapes):
    strict = Client(enforce_csrf_checks=True)
    response = strict.post(URL, {"project": "shapes"}, content_type="application/json")
    refused(response, 403, "permission_denied")
    assert not Annotator.objects.exists()
    token = "a" * 32
    strict.cookies["csrftoken"] = token
    response = strict.post(
        URL, {"project": "shapes"}, content_type="application/json", headers={"x-csrftoken": token}
    )
    assert response.status_code == 201


def test_whoever_asks_too_often_is_told_to_wait(anonymous, shown, settings):
    settings.CHALLENGE_RATE = 1
    url = f"{URL}{shown['token']}/answer/"
    anonymous.post(url, {"selected": []}, content_type="application/json")
    response = anonymous.post(url, {"selected": []}, content_type="application/json")
    refused(response, 429, "throttled")
    assert int(response["Retry-After"]) > 0


def test_nobody_holds_more_challenges_than_allowed(anonymous, shapes):
    tokens = []
    for _ in range(challenges.MAX_PENDING + 2):
        body = {"project": "shapes", "kind": "write"}
        tokens.append(anonymous.post(URL, body, content_type="application/json").json()["token"])
    assert Challenge.objects.filter(expires_at__gt=timezone.now()).count() == (
        challenges.MAX_PENDING
    )
    body = {"text": "a red circle on white"}
    first = anonymous.post(f"{URL}{tokens[0]}/answer/", body, content_type="application/json")
    refused(first, 410, "expired")

"""What hostile visitors, pages and owners of other sites try."""

from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from labeling import removal
from labeling.captcha import attempts, decks, intake, limits, sheets, tokens, views
from labeling.captcha.errors import QuotaReached, TooMany
from labeling.concepts import deletion as concepts
from labeling.models import Attempt, Concept, Image, Project, Site
from tests.at_once import run_at_once
from tests.labeling.captcha import birds
from tests.labeling.captcha.test_views import BEGIN, begin, post

VERIFY = "/recaptcha/api/siteverify"


@pytest.mark.parametrize("action", ["a\0b", "\ud800"])
def test_an_action_that_no_database_keeps_is_refused(
    client: Client, shop: Site, action: str
) -> None:
    ticket = tokens.ticket(shop.key, birds.HOST)
    for name in ("ticket", "door", "action"):
        sent = {"ticket": ticket, "door": "work", "action": "é", name: action}
        assert post(client, BEGIN, sent)[0] == 400


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded; charset=utf-16", b"secret=a"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"secret=a"),
        ("application/x-www-form-urlencoded", b"secret=%00&response=%ff%fe&secret=\xff"),
        ("application/x-www-form-urlencoded", b"&".join(b"a=b" for _ in range(5000))),
        ("application/x-www-form-urlencoded", b"x" * 400_000),
        ("multipart/form-data", b"secret=a"),
        ("multipart/form-data; boundary=\xff", b"secret=a"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name="),
        ("application/json", b'{"secret": "a"}'),
    ],
)
def test_siteverify_answers_200_to_odd_bodies(
    client: Client, shop: Site, kind: str, body: bytes
) -> None:
    answer = client.generic("POST", VERIFY, body, content_type=kind)
    assert answer.status_code == 200 and answer.json()["success"] is False
    assert not answer.cookies


def test_one_address_cannot_use_up_what_others_may_ask(shop: Site, settings) -> None:
    settings.CAPTCHA_ADDRESS_RATE, settings.CAPTCHA_SITE_RATE = 2, 6
    shop.daily_quota = 6
    for _ in range(20):
        try:
            limits.count_attempt(shop, "hostile")
        except TooMany as error:
            assert not isinstance(error, QuotaReached)
    for number in range(3):
        limits.count_attempt(shop, f"neighbour {number}")


def test_one_site_cannot_use_up_what_others_may_ask(shop: Site, settings) -> None:
    settings.CAPTCHA_SITE_RATE, settings.CAPTCHA_RATE = 3, 6
    other = Site.objects.create(project=shop.project, name="Other", hosts=["other.example"])
    for number in range(20):
        with suppress(TooMany):
            limits.count_attempt(shop, f"bot {number}")
    for number in range(3):
        limits.count_attempt(other, f"neighbour {number}")


def test_many_hosts_fill_no_memory(client: Client, db: None, settings) -> None:
    views._script.cache_clear()
    for port in range(200):
        client.get("/recaptcha/api.js", headers={"Host": f"localhost:{port + 1}"})
    assert views._script.cache_info().currsize <= 64


def test_no_cookie_tells_the_language_of_a_script_that_caches_keep(
    client: Client, db: None, settings
) -> None:
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "fr"
    text = client.get("/recaptcha/api.js", headers={"Accept-Language": "de"}).content
    assert b'"language": "de"' in text


@pytest.mark.parametrize("change", [{"private": True}, {"state": "archived"}, {"state": "draft"}])
def test_a_project_that_was_closed_shows_nothing_more(
    client: Client, shop: Site, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    monkeypatch.setattr(sheets, "render", lambda _tiles, showing: b"")
    sheet = begin(client, shop)["rounds"][0]["sheet"]  # type: ignore[index]
    assert client.get(sheet).status_code == 200
    Project.objects.update(**change)
    answer = client.get(sheet)
    assert (answer.status_code, answer.json()["code"]) == (410, "removed")


def test_a_picture_that_was_removed_is_not_shown_and_holds_up_no_answers(
    client: Client, shop: Site, ada: User
) -> None:
    asked = begin(client, shop)
    (attempt,) = Attempt.objects.all()
    birds.answer(attempt, birds.truth(attempt))
    images = Image.objects.filter(tiles__in=attempt.tiles).distinct()[:5]
    removal.remove(images, by=ada, reason="Somebody asked for it")
    Attempt.objects.update(state="asked")
    sheet = asked["rounds"][0]["sheet"]  # type: ignore[index]
    assert client.get(sheet).json()["code"] == "removed"
    Attempt.objects.update(state="failed")
    assert intake.take_in() == 1


def test_a_concept_that_was_deleted_holds_up_no_answers(shop: Site, ada: User) -> None:
    birds.add_known(shop.project, yes=10, no=20, name="fish")
    decks.forget()
    for number in range(3):
        birds.pass_at(shop, f"192.0.2.{number}")
    concepts.delete(Concept.objects.get(name="fish"), by=ada)
    assert intake.take_in() == 3
    connection.check_constraints()


def test_few_failures_of_an_address_count_or_it_would_make_a_site_hard_for_all(shop: Site) -> None:
    calm = birds.begin(shop).threshold
    for _ in range(2 * limits.LEVEL_LEAST):
        limits.count_end(shop.pk, "failed", "one bot")
    limits.forget()
    assert birds.begin(shop).threshold == calm


def test_what_was_asked_is_kept_two_days(shop: Site) -> None:
    birds.begin(shop)
    birds.pass_at(shop)
    now = timezone.now() + timedelta(days=3)
    intake.forget(now=now)
    assert len(Attempt.objects.exclude(values=[]).get().tiles) == 32  # still to be taken in
    assert Attempt.objects.get(values=[]).tiles == []


@pytest.mark.django_db(transaction=True)
def test_of_many_answers_at_once_exactly_one_counts(shop: Site) -> None:
    attempt = birds.begin(shop)
    birds.look(attempt)
    selected = [n for n, known in enumerate(attempt.known[:16], 1) if known == 1]

    def answer(chosen: list[int]) -> object:
        return attempts.answer(attempts.find(tokens.name(attempt.pk)), number=1, selected=chosen)

    def extend() -> object:
        return attempts.extend(attempt)

    guesses = [selected, [], [1], [2, 3], [4], [5, 6]]
    acts = [partial(answer, each) for each in guesses] + [extend, extend]
    steps = [each for each in run_at_once(*acts) if isinstance(each, attempts.Step)]
    assert len(steps) == 1
    attempt.refresh_from_db()
    assert len(attempt.round_seconds) == 1 and len(attempt.values) == 16


def test_the_second_round_cannot_be_answered_first(client: Client, shop: Site) -> None:
    path = f"{BEGIN}{begin(client, shop)['attempt']}/answers/"
    for number in (2, 3, 10**30):
        assert post(client, path, {"round": number, "selected": []})[0] == 400
    for number in (0, -1):
        assert post(client, path, {"round": number, "selected": []})[0] == 409
    assert Attempt.objects.get().values == []


def test_a_ticket_is_good_for_its_host_and_its_day(
    client: Client, shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    tickets = [
        tokens.ticket(shop.key, "evil.example"),
        tokens.ticket("unknown", birds.HOST),
        tokens.name(birds.begin(shop).pk),
        tokens.ticket(shop.key, birds.HOST)[:-1],
    ]
    codes = [post(client, BEGIN, {"ticket": each, "door": "work"})[1]["code"] for each in tickets]
    assert codes == ["host", "unknown-site", "forged", "forged"]
    monkeypatch.setattr(tokens, "TICKET_SECONDS", -1)
    old = tokens.ticket(shop.key, birds.HOST)
    assert post(client, BEGIN, {"ticket": old, "door": "work"})[1]["code"] == "forged"


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://SHOP.example", "https://shop.example"),
        ("https://shop.example.", "https://shop.example."),
        ("https://shop.example:443/a?b#c", "https://shop.example:443"),
        ("https://evil.example@shop.example", "https://shop.example"),
        ("https://evil.example\\@shop.example", "https://shop.example"),
        ("https://xn--bcher-kva.shop.example", "https://xn--bcher-kva.shop.example"),
    ],
)
def test_an_origin_is_written_anew_from_its_parts(
    client: Client, shop: Site, origin: str, host: str
) -> None:
    answer = client.get("/captcha/frame", {"k": shop.key, "origin": origin})
    assert answer["Content-Security-Policy"].endswith(f"frame-ancestors {host}")


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example%00.evil.example",
        "https://shop.example%2eevil.example",
        "https://evil.example#@shop.example",
        "https://evil.example/@shop.example",
        "https://shop。example.evil.example",
        "https://b\u00fccher.shop.example",
        "https://[::1]",
        "https://[shop.example]",
        "https://shop.example *",
        "https://shop.example' 'self'",
        "//shop.example",
        "data:text/html,shop.example",
        "https://" + "a." * 200 + "shop.example",
    ],
)
def test_an_origin_in_disguise_is_refused(client: Client, shop: Site, origin: str) -> None:
    answer = client.get("/captcha/frame", {"k": shop.key, "origin": origin})
    assert answer.status_code == 403 and b"captcha-config" not in answer.content


def test_a_session_changes_nothing_and_no_answer_sets_a_cookie(
    client: Client, shop: Site, ada: User
) -> None:
    stranger = Client()
    client.force_login(ada)
    paths = [
        "/recaptcha/api.js",
        f"/captcha/frame?k={shop.key}&origin=https://shop.example",
        f"/captcha/frame?k={shop.key}&origin=https://evil.example",
        "/captcha/attempts/x/1.jpg",
        "/captcha/attempts/",
        VERIFY,
    ]
    for path in paths:
        signed_in, other = client.get(path), stranger.get(path)
        assert signed_in.status_code == other.status_code
        for answer in (signed_in, other):
            assert not answer.cookies and "Cookie" not in answer.get("Vary", "")
            assert ada.username.encode() not in answer.content
    assert begin(client, shop).keys() == begin(stranger, shop).keys()


def test_of_a_parameter_sent_twice_one_counts_for_all(client: Client, shop: Site) -> None:
    response = birds.pass_at(shop)
    body = f"secret=wrong&secret=worse&response={response}&response=x"
    kind = "application/x-www-form-urlencoded"
    answer = client.generic("POST", f"{VERIFY}?secret=worst", body, content_type=kind)
    assert answer.json() == {"success": False, "error-codes": ["invalid-input-secret"]}
    assert Attempt.objects.get().verified_at is None


@pytest.mark.parametrize(
    "host", ["evil.example", "testserver@evil.example", 'testserver"</script>', "testserver:x"]
)
def test_a_script_names_no_host_but_the_servers_own(
    client: Client, db: None, settings, host: str
) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    headers = {"Host": host, "X-Forwarded-Host": host}
    assert client.get("/recaptcha/api.js", headers=headers).status_code == 400
    text = client.get("/recaptcha/api.js", headers={"X-Forwarded-Host": host}).content
    assert b'"origin": "http://testserver"' in text and b"evil" not in text


@pytest.mark.parametrize("path", ["//evil.example/captcha/attempts", "/captcha/attempts", "/1"])
def test_no_address_redirects_to_another_host(client: Client, db: None, path: str) -> None:
    answer = client.generic("GET", "/", PATH_INFO=path)
    assert not answer.get("Location", "/").startswith(("//", "http", "\\"))

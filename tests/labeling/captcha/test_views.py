"""What browsers are sent, and what they may send."""

import gzip
import json
from io import BytesIO

import pytest
from django.core.cache import cache
from django.test import Client
from PIL import Image as Pillow

from labeling.captcha import limits, sheets, tokens, views
from labeling.models import Attempt, Image, Site
from tests.labeling.captcha import birds
from tests.pictures import striped

BEGIN = "/captcha/attempts/"


def post(client: Client, path: str, body: object, **headers: str) -> tuple[int, dict[str, object]]:
    answer = client.post(path, json.dumps(body), content_type="application/json", headers=headers)
    assert not answer.cookies
    return answer.status_code, answer.json()


def begin(client: Client, site: Site, door: str = "grid", **more: str) -> dict[str, object]:
    ticket = tokens.ticket(site.key, birds.HOST)
    status, asked = post(client, BEGIN, {"ticket": ticket, "door": door, **more})
    assert status == 201, asked
    return asked


def test_a_whole_solve(client: Client, shop: Site) -> None:
    asked = begin(client, shop, action="login")
    (attempt,) = Attempt.objects.all()
    assert attempt.action == "login" and attempt.host == birds.HOST
    status = 0
    for number in (1, 2):
        attempt.refresh_from_db()
        if attempt.state == "asked":
            birds.look(attempt)
            shown = attempt.known[16 * (number - 1) : 16 * number]
            selected = [n for n, known in enumerate(shown, 1) if known == 1]
            path = f"{BEGIN}{asked['attempt']}/answers/"
            status, step = post(client, path, {"round": number, "selected": selected})
    assert (status, step["outcome"], step["expires_in"]) == (200, "passed", 120)


def test_what_is_sent_tells_nothing_but_what_to_look_for(client: Client, shop: Site) -> None:
    asked = begin(client, shop)
    assert set(asked) == {"attempt", "door", "expires_in", "rounds"}
    for number, shown in enumerate(asked["rounds"], 1):  # type: ignore[arg-type, var-annotated]
        assert shown == {
            "before": "Select all tiles that show",
            "subject": "a bird",
            "after": "",
            "lang": "en",
            "dir": "ltr",
            "count": 16,
            "columns": 4,
            "sheet": f"{BEGIN}{asked['attempt']}/{number}.jpg",
        }


def test_it_asks_in_the_language_of_the_page(client: Client, shop: Site) -> None:
    ticket = tokens.ticket(shop.key, birds.HOST, "de")
    _status, asked = post(client, BEGIN, {"ticket": ticket, "door": "grid"})
    assert asked["rounds"][0]["before"] == "Wählen Sie alle Bilder, die Folgendes zeigen:"  # type: ignore[index]


def test_a_sheet_shows_all_tiles_and_is_the_same_again(
    client: Client, shop: Site, settings, tmp_path
) -> None:
    settings.MEDIA_ROOT, settings.CACHE_ROOT = tmp_path / "media", tmp_path / "cache"
    (tmp_path / "media").mkdir()
    for number, image in enumerate(Image.objects.all()):
        (tmp_path / "media" / f"{number}.webp").write_bytes(_webp(number))
        Image.objects.filter(pk=image.pk).update(file=f"{number}.webp")
    asked = begin(client, shop)
    first, second = (each["sheet"] for each in asked["rounds"])  # type: ignore[attr-defined]
    answer = client.get(first)
    assert answer["Cache-Control"].startswith("private") and not answer.cookies
    assert Pillow.open(BytesIO(answer.content)).size == (4 * sheets.CELL, 4 * sheets.CELL)
    assert client.get(first).content == answer.content != client.get(second).content
    other = begin(client, shop)["rounds"][0]["sheet"]  # type: ignore[index]
    assert client.get(other).content != answer.content
    assert client.get(first.replace("/1.jpg", "/3.jpg")).status_code == 400
    for _ in range(limits.SHEETS):
        last = client.get(first)
    assert last.status_code == 429


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid"),
        (b"[]", 400, "invalid"),
        (b"{}", 400, "invalid"),
        (b'{"ticket": 1, "door": "grid"}', 400, "invalid"),
        (b'{"ticket": "x", "door": "grid"}', 403, "forged"),
        (b"[" * 15_000, 400, "invalid"),
        (b" " * 20_000, 413, "invalid"),
    ],
)
def test_bad_bodies_are_refused_with_a_reason(
    client: Client, shop: Site, body: bytes, status: int, code: str
) -> None:
    answer = client.post(BEGIN, body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"]


def test_a_form_of_another_page_begins_nothing(client: Client, shop: Site) -> None:
    ticket = tokens.ticket(shop.key, birds.HOST)
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        body = json.dumps({"ticket": ticket, "door": "grid"})
        assert client.post(BEGIN, body, content_type=kind).status_code == 400
    assert "Access-Control-Allow-Origin" not in client.options(
        BEGIN, headers={"Origin": "https://x"}
    )


def test_an_address_begins_only_so_much_in_a_minute(client: Client, shop: Site, settings) -> None:
    settings.CAPTCHA_ADDRESS_RATE = 3
    cache.clear()
    for _ in range(3):
        begin(client, shop)
    ticket = tokens.ticket(shop.key, birds.HOST)
    answer = client.post(
        BEGIN, json.dumps({"ticket": ticket, "door": "work"}), content_type="application/json"
    )
    assert answer.status_code == 429 and 1 <= int(answer["Retry-After"]) <= 60
    assert answer.json()["code"] == "rate-limited"


def test_a_site_begins_no_more_than_its_quota(client: Client, shop: Site) -> None:
    Site.objects.update(daily_quota=1)
    begin(client, shop)
    ticket = tokens.ticket(shop.key, birds.HOST)
    assert post(client, BEGIN, {"ticket": ticket, "door": "grid"})[1]["code"] == "quota"


def test_to_use_up_the_quota_opens_no_site(client: Client, shop: Site) -> None:
    Site.objects.update(daily_quota=1, fail_open=True)
    begin(client, shop)
    ticket = tokens.ticket(shop.key, birds.HOST)
    for door in ("grid", "open"):
        status, refused = post(client, BEGIN, {"ticket": ticket, "door": door})
        assert (status, refused["doors"]) == (409, ["work"])
    assert begin(client, shop, door="work")["work"]


def test_a_frame_is_shown_on_the_pages_of_its_site_alone(client: Client, shop: Site) -> None:
    for origin in ("https://shop.example", "http://www.shop.example:8443"):
        answer = client.get("/captcha/frame", {"k": shop.key, "origin": origin})
        assert answer.status_code == 200 and not answer.cookies
        policy = answer["Content-Security-Policy"]
        assert policy.endswith(f"frame-ancestors {origin}") and "unsafe" not in policy
        assert "X-Frame-Options" not in answer


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "https://shop.example@evil.example",
        "javascript://shop.example",
        "null",
        "",
        "https://shop.example;script-src *",
        "https://shop.example\r\nSet-Cookie: a=b",
        "https://[",
        "https://shop.example:99999",
    ],
)
def test_other_origins_are_refused_and_cannot_inject(
    client: Client, shop: Site, origin: str
) -> None:
    answer = client.get("/captcha/frame", {"k": shop.key, "origin": origin})
    assert answer.status_code == 403 and b"captcha-config" not in answer.content
    assert answer["Content-Security-Policy"].endswith("frame-ancestors *")
    assert "Set-Cookie" not in answer


def test_a_site_that_is_unknown_or_off_has_no_frame(client: Client, shop: Site) -> None:
    sent = {"k": "unknown", "origin": "https://shop.example"}
    assert client.get("/captcha/frame", sent).status_code == 404
    Site.objects.update(active=False)
    assert client.get("/captcha/frame", {**sent, "k": shop.key}).status_code == 404


def test_the_script_is_small_cacheable_and_loads_anywhere(client: Client, db: None) -> None:
    for path in (
        "/recaptcha/api.js",
        "/recaptcha/enterprise.js",
        "/1/api.js",
        "/captcha/1/api.js",
        "/captcha/tessera.js",
    ):
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer["Access-Control-Allow-Origin"] == "*" and "public" in answer["Cache-Control"]
        assert len(answer.content) < 10_000 and not answer.cookies
        text = gzip.decompress(answer.content).decode()
        assert client.get(path).content.decode() == text
        assert '"origin": "http://testserver"' in text


def test_a_script_of_a_strange_language_speaks_the_browsers(client: Client, db: None) -> None:
    for tag in ("xx", "../../x", "de" * 2000, "</script>"):
        text = client.get("/recaptcha/api.js", {"hl": tag}, headers={"Accept-Language": "fr"})
        assert b'"language": "fr"' in text.content


def test_test_keys_pass_unasked_on_any_page(client: Client, db: None) -> None:
    for key in views.TEST_KEYS:
        answer = client.get("/captcha/frame", {"k": key, "origin": "http://localhost:3000"})
        assert answer.status_code == 200
        ticket = tokens.ticket(key, "localhost")
        status, asked = post(client, BEGIN, {"ticket": ticket, "door": "open"})
        assert (status, asked["response"]) == (201, views.TEST_RESPONSE)
    assert not Attempt.objects.exists()


def _webp(number: int) -> bytes:
    file = BytesIO()
    Pillow.open(BytesIO(striped(number))).save(file, "WEBP")
    return file.getvalue()

"""What a site's server is told, in both dialects."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from labeling.captcha import sites, tokens, verifying
from labeling.models import Attempt, Site, SiteSecret
from tests.at_once import run_at_once
from tests.labeling.captcha import birds

RECAPTCHA, HCAPTCHA = "/recaptcha/api/siteverify", "/siteverify"
SECRET = "tessera_site_shop"


@pytest.fixture(autouse=True)
def secret(shop: Site) -> str:
    digest = SiteSecret.digest_of(SECRET)
    SiteSecret.objects.create(site=shop, digest=digest, end=SECRET[-4:])
    return SECRET


def ask(client: Client, path: str, **sent: str) -> dict[str, object]:
    answer = client.post(path, sent)
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize("path", [RECAPTCHA, "/recaptcha/enterprise/siteverify"])
def test_recaptchas_dialect(client: Client, shop: Site, path: str) -> None:
    before = timezone.now().replace(microsecond=0)
    answer = ask(client, path, secret=SECRET, response=birds.pass_at(shop), remoteip="192.0.2.1")
    then = answer.pop("challenge_ts")
    assert answer == {"success": True, "hostname": "shop.example"}
    assert timezone.datetime.fromisoformat(str(then)) >= before


@pytest.mark.parametrize("path", [HCAPTCHA, "/captcha/siteverify"])
def test_hcaptchas_dialect(client: Client, shop: Site, path: str) -> None:
    answer = ask(client, path, secret=SECRET, response=birds.pass_at(shop), sitekey=shop.key)
    del answer["challenge_ts"]
    assert answer == {"success": True, "hostname": "shop.example", "credit": False}


@pytest.mark.parametrize("action", ["", "login"])
def test_who_executes_it_as_v3_gets_a_score(client: Client, shop: Site, action: str) -> None:
    response = birds.pass_at(shop)
    Attempt.objects.update(scored=True, action=action)
    answer = ask(client, RECAPTCHA, secret=SECRET, response=response)
    assert answer["score"] == 0.9 and answer.get("action", "") == action
    assert ("action" in answer) == bool(action)


@pytest.mark.parametrize("method", ["get", "post"])
def test_it_is_verified_once_by_either_method(client: Client, shop: Site, method: str) -> None:
    sent = {"secret": SECRET, "response": birds.pass_at(shop)}
    first, second = (getattr(client, method)(RECAPTCHA, sent).json() for _ in range(2))
    assert first["success"] is True
    assert second == {"success": False, "error-codes": ["timeout-or-duplicate"]}


@pytest.mark.parametrize(
    ("sent", "recaptcha", "hcaptcha"),
    [
        ({"response": "x"}, "missing-input-secret", "missing-input-secret"),
        ({"secret": "x", "response": "x"}, "invalid-input-secret", "invalid-input-secret"),
        ({"secret": "x" * 5000, "response": "x"}, "invalid-input-secret", "invalid-input-secret"),
        ({"secret": "\0é", "response": "x"}, "invalid-input-secret", "invalid-input-secret"),
        ({"secret": SECRET}, "missing-input-response", "missing-input-response"),
        ({"secret": SECRET, "response": "x"}, "invalid-input-response", "invalid-input-response"),
        (
            {"secret": SECRET, "response": "x" * 100_000},
            "invalid-input-response",
            "invalid-input-response",
        ),
    ],
)
def test_each_fault_has_its_code(
    client: Client, sent: dict[str, str], recaptcha: str, hcaptcha: str
) -> None:
    for path, code in ((RECAPTCHA, recaptcha), (HCAPTCHA, hcaptcha)):
        assert ask(client, path, **sent) == {"success": False, "error-codes": [code]}


def test_it_is_good_for_two_minutes(client: Client, shop: Site) -> None:
    response = birds.pass_at(shop)
    old = timezone.now() - timedelta(seconds=tokens.RESPONSE_SECONDS + 1)
    Attempt.objects.update(passed_at=old)
    for path, code in ((RECAPTCHA, "timeout-or-duplicate"), (HCAPTCHA, "expired-input-response")):
        answer = ask(client, path, secret=SECRET, response=response)
        assert answer["error-codes"] == [code]
    Attempt.objects.update(passed_at=timezone.now())
    assert ask(client, HCAPTCHA, secret=SECRET, response=response)["success"]
    answer = ask(client, HCAPTCHA, secret=SECRET, response=response)
    assert answer["error-codes"] == ["already-seen-response"]


def test_another_site_can_neither_use_a_response_nor_use_it_up(client: Client, shop: Site) -> None:
    other = Site.objects.create(project=shop.project, name="Other", hosts=["other.example"])
    SiteSecret.objects.create(site=other, digest=SiteSecret.digest_of("other"), end="ther")
    response = birds.pass_at(shop)
    for path, code in (
        (RECAPTCHA, "invalid-input-response"),
        (HCAPTCHA, "sitekey-secret-mismatch"),
    ):
        assert ask(client, path, secret="other", response=response)["error-codes"] == [code]
    wrong_key = ask(client, HCAPTCHA, secret=SECRET, response=response, sitekey=other.key)
    assert wrong_key["error-codes"] == ["sitekey-secret-mismatch"]
    assert ask(client, HCAPTCHA, secret=SECRET, response=response)["success"]


def test_the_name_of_an_attempt_is_no_response(client: Client, shop: Site) -> None:
    birds.pass_at(shop)
    (attempt,) = Attempt.objects.all()
    for forged in (tokens.name(attempt.pk), attempt.pk.hex, f"{attempt.pk.hex}.x"):
        answer = ask(client, RECAPTCHA, secret=SECRET, response=forged)
        assert answer["error-codes"] == ["invalid-input-response"]


def test_who_did_not_pass_has_no_response_even_if_they_forge_one(
    client: Client, shop: Site
) -> None:
    attempt = birds.begin(shop)
    answer = ask(client, RECAPTCHA, secret=SECRET, response=tokens.response(attempt.pk))
    assert answer["success"] is False


@pytest.mark.parametrize("body", [b"\xff\xfe=%zz", b"a" * 400_000])
def test_whatever_is_sent_the_status_is_200(client: Client, body: bytes) -> None:
    form = "application/x-www-form-urlencoded"
    for kind in (form, "multipart/form-data; boundary=x", "application/json", "text/plain"):
        answer = client.post(RECAPTCHA, body, content_type=kind)
        assert (answer.status_code, answer.json()["success"]) == (200, False)
    answer = client.put(RECAPTCHA, body)
    assert (answer.status_code, answer.json()["error-codes"]) == (200, ["bad-request"])


@pytest.mark.parametrize("secret", verifying.TEST_KEYS.values())
def test_test_keys_always_pass_and_no_response_of_theirs_is_good_elsewhere(
    client: Client, shop: Site, secret: str
) -> None:
    answer = ask(client, RECAPTCHA, secret=secret, response="anything")
    assert (answer["success"], answer["hostname"]) == (True, verifying.TEST_HOST)
    assert not ask(client, RECAPTCHA, secret=SECRET, response="anything")["success"]


def test_a_secret_that_was_replaced_is_good_while_they_overlap(
    client: Client, shop: Site, ada: object
) -> None:
    new = sites.rotate_secret(site=shop, by=ada)  # type: ignore[arg-type]
    for secret in (SECRET, new):
        assert ask(client, RECAPTCHA, secret=secret, response=birds.pass_at(shop))["success"]
    shop.secrets.filter(expires_at__isnull=False).update(expires_at=timezone.now())
    answer = ask(client, RECAPTCHA, secret=SECRET, response=birds.pass_at(shop))
    assert answer["error-codes"] == ["invalid-input-secret"]


def test_a_site_that_is_switched_off_verifies_nothing(client: Client, shop: Site) -> None:
    response = birds.pass_at(shop)
    Site.objects.update(active=False)
    answer = ask(client, RECAPTCHA, secret=SECRET, response=response)
    assert answer["error-codes"] == ["invalid-input-secret"]


def test_responses_are_short_enough_for_every_client(shop: Site) -> None:
    assert len(birds.pass_at(shop)) < 200


@pytest.mark.django_db(transaction=True)
def test_of_two_hundred_tries_by_eight_at_once_exactly_one_succeeds(shop: Site) -> None:
    response = birds.pass_at(shop)

    def verify_often() -> int:
        return sum(verifying.verify(secret=SECRET, response=response).success for _ in range(25))

    assert sum(run_at_once(*[verify_often] * 8)) == 1

"""Signing in by OpenID Connect, by a real provider, and what attackers try."""

import contextlib
import html
import http.client
import re
import time
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import NoReverseMatch, reverse

from labeling.accounts import set_up
from labeling.accounts.openid import asking
from labeling.accounts.openid.provider import _documents as documents
from labeling.models import Annotator
from tests.labeling.api.test_challenges import ask, submit
from tests.openid_provider import CLIENT, Provider, private_key

pytest_plugins: list[str] = []
pytestmark = pytest.mark.django_db
MAIL = {"email": "dana@example.org", "email_verified": True}


def leave(client: Client, **fields: str) -> str:
    """Press the button; return the provider's address to which it leads."""
    response = client.post("/sign-in/openid/", fields)
    assert response.status_code == 200, response
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', response.content.decode())
    assert found
    return html.unescape(found[1])


def authorize(address: str) -> str:
    """Let the provider send the browser back; return where to."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(str(parts.netloc))
    connection.request("GET", f"{parts.path}?{parts.query}")
    location = connection.getresponse().headers["Location"]
    connection.close()
    back = urlsplit(location)
    return f"{back.path}?{back.query}"


def sign_in(client: Client, **fields: str):
    return client.get(authorize(leave(client, **fields)))


def user_of(client: Client) -> User | None:
    pk = client.session.get("_auth_user_id")
    return User.objects.get(pk=pk) if pk else None


def refusal(response) -> str:
    assert response.url == "/sign-in/", response.url
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def test_the_page_shows_a_button_only_where_there_is_a_provider(client, settings):
    assert "/sign-in/openid/" not in client.get("/sign-in/").content.decode()
    assert client.post("/sign-in/openid/").status_code == 404
    settings.OIDC_ISSUER, settings.OIDC_NAME = "https://id.example", "Example ID"
    page = client.get("/sign-in/?next=/projects/").content.decode()
    assert "Sign in with Example ID" in page and 'value="/projects/"' in page
    assert "password" in page


def test_it_asks_with_state_nonce_and_a_hashed_verifier(client, provider):
    asked = {name: v[0] for name, v in parse_qs(urlsplit(leave(client)).query).items()}
    assert asked["response_type"] == "code" and asked["client_id"] == CLIENT
    assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43
    assert len(asked["nonce"]) >= 32 and len(asked["state"]) >= 16
    assert asked["redirect_uri"] == "http://testserver/sign-in/openid/back/"
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}


def test_behind_a_proxy_that_speaks_https_it_comes_back_by_https(client, provider, settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    client.defaults |= {"HTTP_X_FORWARDED_PROTO": "https", "HTTP_HOST": "testserver"}
    asked = parse_qs(urlsplit(leave(client)).query)
    assert asked["redirect_uri"] == ["https://testserver/sign-in/openid/back/"]


def test_a_newcomer_gets_an_account_and_goes_where_they_wanted(client, provider):
    provider.claims |= {"preferred_username": "dana@example.org", **MAIL}
    assert sign_in(client, next="/your-answers/").url == "/your-answers/"
    user = user_of(client)
    assert user is not None and (user.username, user.email) == ("dana", "dana@example.org")
    assert not user.has_usable_password() and not user.is_staff
    assert SocialAccount.objects.get().extra_data == {}  # nothing of the provider's is kept


def test_the_same_subject_is_the_same_account_whatever_else_changes(client, provider):
    provider.claims |= {"preferred_username": "dana", **MAIL}
    sign_in(client)
    first = user_of(client)
    provider.claims |= {"preferred_username": "danuta", "email": "other@example.org"}
    other = Client()
    sign_in(other)
    assert user_of(other) == first and User.objects.count() == 1
    assert SocialAccount.objects.get().extra_data == {}


def test_nobody_takes_an_account_over_by_its_name(client, provider):
    admin = User.objects.create_superuser("dana", password="x")
    provider.claims |= {"preferred_username": "dana"}
    sign_in(client)
    user = user_of(client)
    assert user is not None and user != admin and user.username.startswith("dana-")
    for likeness in ("Dana", "dаna", "d4na\u200b"):  # the second with a Cyrillic letter
        provider.claims = {"sub": f"of {likeness}", "preferred_username": likeness}
        sign_in(client)
        assert user_of(client) not in (None, admin)
    assert not User.objects.exclude(pk=admin.pk).filter(is_staff=True).exists()


@pytest.mark.parametrize(("verified", "linked"), [(True, True), (False, False), (None, False)])
def test_an_address_links_only_if_the_provider_verified_it(client, provider, verified, linked):
    dana = User.objects.create_user("dana", "Dana@Example.org", "x")
    provider.claims |= {"email": "dana@example.org", "preferred_username": "dana"}
    provider.claims |= {} if verified is None else {"email_verified": verified}
    sign_in(client)
    user = user_of(client)
    assert user is not None and (user == dana) is linked
    assert linked or user.email == ""


@pytest.mark.parametrize("likeness", ["mıke@example.org", "mike@ſite.org"])
def test_an_address_that_only_looks_alike_in_capitals_opens_no_account(client, provider, likeness):
    for name, address in (("mike", "mike@example.org"), ("mimi", "mike@site.org")):
        User.objects.create_superuser(name, address, "x")
    assert User.objects.filter(email__iexact=likeness).exists(), "PostgreSQL takes it for the same"
    provider.claims |= {"email": likeness, "email_verified": True}
    sign_in(client)
    user = user_of(client)
    assert user is not None and not user.is_superuser and user.email == ""


def test_an_address_is_verified_by_whoever_names_it(client, provider):
    dana = User.objects.create_user("dana", "dana@example.org", "x")
    provider.claims |= {"email_verified": True}
    provider.userinfo = {"sub": provider.claims["sub"], "email": "dana@example.org"}
    sign_in(client)
    assert user_of(client) not in (None, dana)


def test_an_administrator_by_group_comes_by_the_provider_and_again_after_a_while(
    client, provider, settings
):
    settings.OIDC_ADMIN_GROUP = "labellers-admins"
    dana = User.objects.create_user("dana", "dana@example.org", "a correct horse")
    password = {"username": "dana", "password": "a correct horse"}
    assert Client().post("/sign-in/", password).status_code == 302
    provider.claims |= {"groups": ["labellers-admins"], **MAIL}
    sign_in(client)
    assert user_of(client) == dana and client.session.get_expiry_age() <= 12 * 3600
    other = Client()
    page = other.post("/sign-in/", password).content.decode()
    assert "Sign in with Example ID" in page and user_of(other) is None
    provider.claims["groups"] = []
    sign_in(other)
    assert other.session.get_expiry_age() > 12 * 3600
    assert Client().post("/sign-in/", password).status_code == 302


def large(handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(64):
            handler.wfile.write(b" " * 2**20)


def trickling(handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(200):
            handler.wfile.write(b" ")
            time.sleep(0.02)


def leading_elsewhere(handler) -> None:
    handler.send_response(307)
    handler.send_header("Location", "http://169.254.169.254/latest/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def nested(handler) -> None:
    body = b"[" * 200_000
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize("answer", [large, trickling, leading_elsewhere, nested])
@pytest.mark.parametrize("when", ["leaving", "coming back"])
def test_a_provider_that_misbehaves_is_given_up_soon(
    client, provider, monkeypatch, answer, when, fresh_cache
):
    monkeypatch.setattr(asking, "LONGEST", 0.2)
    if when == "leaving":
        provider.answer = answer
        assert "Example ID did not work" in refusal(client.post("/sign-in/openid/"))
        return
    back = authorize(leave(client))
    provider.answer = answer
    assert "Example ID did not work" in refusal(client.get(back))
    assert user_of(client) is None


def test_a_provider_that_is_gone_at_the_return_is_said_in_a_sentence(client, provider, settings):
    back = authorize(leave(client))
    documents.clear()
    provider.issuer = "https://id.example"  # by which it calls itself by now
    assert "Example ID did not work" in refusal(client.get(back))


def test_the_log_says_why_the_way_back_failed_without_an_error_of_ours(client, provider, caplog):
    provider.refuse = "server_error"
    assert "did not work" in refusal(client.get(back := authorize(leave(client))))
    assert "failed: the provider answered 'server_error'" in caplog.text
    assert "did not work" in refusal(client.get(back))
    assert "failed: this browser had not begun it, or had ended it already" in caplog.text


def test_an_address_that_passed_to_somebody_else_opens_no_account(client, provider):
    provider.claims |= {"preferred_username": "dana", **MAIL}
    sign_in(client)
    first = user_of(client)
    provider.claims = {"sub": "a new colleague", "preferred_username": "dana", **MAIL}
    other = Client()
    sign_in(other)
    second = user_of(other)
    assert second is not None and second != first and second.email == ""


def test_an_address_of_two_accounts_links_neither(client, provider):
    users = [User.objects.create_user(name, "dana@example.org") for name in ("one", "two")]
    provider.claims |= {"preferred_username": "dana", **MAIL}
    sign_in(client)
    assert user_of(client) not in [None, *users]


def test_an_account_that_is_switched_off_stays_shut(client, provider):
    User.objects.create_user("dana", "dana@example.org", is_active=False)
    provider.claims |= MAIL
    assert "switched off" in refusal(sign_in(client)) and user_of(client) is None


def test_only_addresses_of_the_domains_may_sign_in(client, provider, settings):
    settings.OIDC_DOMAINS = ["lab.example"]
    provider.claims |= MAIL
    assert "lab.example" in refusal(sign_in(client))
    provider.claims |= {"email": "eve@lab.example.evil.org"}
    assert user_of(client) is None and refusal(sign_in(client))
    provider.claims |= {"email": "dana@LAB.example", "email_verified": False}
    assert user_of(client) is None and refusal(sign_in(client))
    provider.claims |= {"email_verified": True}
    sign_in(client)
    assert user_of(client) is not None


def test_a_group_makes_administrators_and_takes_it_back(client, provider, settings):
    settings.OIDC_ADMIN_GROUP = "labellers-admins"
    boss = User.objects.create_superuser("boss", "boss@example.org")
    provider.claims |= {"groups": ["staff", "labellers-admins"], **MAIL}
    sign_in(client)
    user = user_of(client)
    assert user is not None and user.is_superuser and user.is_staff
    provider.claims["groups"] = ["staff"]
    sign_in(client)
    user.refresh_from_db()
    assert not user.is_superuser and not user.is_staff
    provider.claims = {"sub": "boss", "email": "boss@example.org", "email_verified": True}
    sign_in(client)
    boss.refresh_from_db()
    assert user_of(client) == boss and boss.is_superuser  # made here, not by the group


def test_what_the_visitor_answered_comes_along(client, provider, shapes):
    submit(client, ask(client, kind="grid")["token"], selected=[1])
    sign_in(client)
    account = Annotator.objects.get(user=user_of(client))
    assert account.answers.count() == 9
    assert client.cookies[django_settings.PSEUDONYM_COOKIE].value == ""


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:1"])
def test_it_leads_to_no_other_site(client, provider, target):
    assert sign_in(client, next=target).url == "/"


def test_no_other_site_can_have_a_browser_leave(provider):
    assert Client(enforce_csrf_checks=True).post("/sign-in/openid/").status_code == 403
    assert Client().get("/sign-in/openid/").status_code == 405
    assert not provider.asked


def test_a_state_belongs_to_one_browser_and_counts_once(client, provider):
    back = authorize(leave(client))
    assert refusal(Client().get(back))
    client.get(back)
    assert user_of(client) is not None
    again = Client()
    assert refusal(again.get(back)) and user_of(again) is None
    client.logout()
    assert refusal(client.get(back)) and user_of(client) is None


def test_a_code_of_another_browser_is_of_no_use(client, provider):
    """PKCE, and the nonce: a stolen code signs nobody in."""
    stolen = parse_qs(urlsplit(authorize(leave(Client()))).query)["code"][0]
    own = authorize(leave(client))
    state = parse_qs(urlsplit(own).query)["state"][0]
    assert refusal(client.get(f"/sign-in/openid/back/?code={stolen}&state={state}"))
    assert user_of(client) is None


def none_signed(claims):
    return jwt.encode(claims, "", algorithm="none")


def signed_by_client_secret(claims):
    return jwt.encode(claims, "of-the-client" * 4, algorithm="HS256", headers={"kid": "key-0"})


def signed_by_the_public_key(claims):
    """The classic: the public key, used as if it were a shared secret."""
    header = {"alg": "HS256", "typ": "JWT", "kid": "key-0"}
    import base64
    import hashlib
    import hmac
    import json

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = private_key(0).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in (header, claims)]
    body = b".".join(part.rstrip(b"=") for part in parts)
    seal = base64.urlsafe_b64encode(hmac.new(pem, body, hashlib.sha256).digest()).rstrip(b"=")
    return (body + b"." + seal).decode()


def signed_by_a_stranger(claims):
    return jwt.encode(claims, private_key(9), algorithm="RS256", headers={"kid": "key-0"})


@pytest.mark.parametrize(
    "sign",
    [none_signed, signed_by_client_secret, signed_by_the_public_key, signed_by_a_stranger],
)
def test_a_token_that_the_provider_did_not_sign_is_refused(client, provider, sign):
    provider.sign = sign
    assert "did not work" in refusal(sign_in(client))
    assert user_of(client) is None and not User.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-site"},
        {"aud": [CLIENT, "another-site"]},
        {"azp": "another-site"},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},  # long past
        {"iat": 9_999_999_999},  # far ahead
        {"sub": None},
        {"sub": ""},
    ],
    ids=str,
)
def test_a_token_for_somebody_else_or_another_time_is_refused(client, provider, changes):
    def forge(claims):
        changed = {**claims, **changes}
        return {name: value for name, value in changed.items() if value is not None}

    provider.forge = forge
    assert "did not work" in refusal(sign_in(client))
    assert user_of(client) is None and not User.objects.exists()


def test_a_provider_that_changes_its_keys_is_understood(client, provider):
    sign_in(client)
    provider.key = 1
    other = Client()
    sign_in(other)
    assert user_of(other) is not None


def test_what_the_token_lacks_is_asked_for_and_must_be_about_the_same(client, provider):
    provider.userinfo = {"sub": "somebody else", **MAIL}
    assert "did not work" in refusal(sign_in(client))
    provider.userinfo = {"sub": provider.claims["sub"], "preferred_username": "dana", **MAIL}
    sign_in(client)
    user = user_of(client)
    assert user is not None and user.email == MAIL["email"]


def test_a_provider_under_another_name_is_not_asked(client, provider, settings):
    settings.OIDC_ISSUER = provider.issuer.replace("127.0.0.1", "localhost")
    assert "did not work" in refusal(client.post("/sign-in/openid/"))


def test_a_provider_that_is_away_is_said_in_a_sentence(client, provider, settings):
    settings.OIDC_ISSUER = "http://127.0.0.1:9"
    assert "Example ID did not work" in refusal(client.post("/sign-in/openid/"))


def test_whoever_declines_comes_back_to_the_page(client, provider):
    provider.refuse = "access_denied"
    assert refusal(sign_in(client)) == "You did not sign in."


def test_attempts_are_limited(client, provider, monkeypatch):
    from labeling.accounts import limits

    monkeypatch.setattr(limits, "PER_ADDRESS", 2)
    for _ in range(2):
        leave(client)
    assert "too many attempts" in refusal(client.post("/sign-in/openid/"))


def test_the_admin_leads_to_the_page_that_has_the_button(client, provider):
    assert client.get("/admin/").url == "/admin/login/?next=/admin/"
    assert client.get("/admin/login/?next=/admin/").url == "/sign-in/?next=/admin/"


def test_no_page_of_the_library_is_served():
    accounts = "account_login", "account_signup", "account_reset_password", "account_email"
    for name in (*accounts, "socialaccount_signup", "openid_connect_login"):
        with pytest.raises(NoReverseMatch):
            reverse(name)


class TestWithoutPasswords:
    @pytest.fixture(autouse=True)
    def switched_off(self, provider: Provider, settings) -> None:
        settings.PASSWORDS = False
        settings.EMAIL_HOST = "mail.example"

    def test_only_the_button_is_left(self, client):
        page = client.get("/sign-in/").content.decode()
        assert "Sign in with Example ID" in page
        assert "password" not in page[page.index("<main") : page.index("</main>")]
        assert client.get("/sign-up/").url == "/sign-in/"
        assert client.get("/password-reset/").status_code == 404
        assert client.get("/password-reset/MQ/set-password/").status_code == 404

    def test_a_right_password_opens_nothing(self, client):
        User.objects.create_superuser("ada", password="a correct horse")
        fields = {"username": "ada", "password": "a correct horse"}
        for path in ("/sign-in/", "/admin/login/"):
            assert (
                "Nobody signs in by a password here." in client.post(path, fields).content.decode()
            )
        assert user_of(client) is None

    def test_an_administrator_is_let_in_by_a_link_made_on_the_server(self, client, capsys):
        from django.core.management import CommandError, call_command

        ada = User.objects.create_superuser("ada", password="a correct horse")
        call_command("sign_in_link", "ada")
        path = capsys.readouterr().out.strip()
        assert b"Sign in as ada" in client.get(path).content and user_of(client) is None
        assert client.post(path).status_code == 302 and user_of(client) == ada
        assert Client().post(path).status_code == 410
        assert Client().post("/sign-in/link/forged/").status_code == 410
        with pytest.raises(CommandError, match="no active user 'bob'"):
            call_command("sign_in_link", "bob")

    def test_an_account_is_deleted_after_a_recent_sign_in(self, client, provider):
        sign_in(client)
        session = client.session
        session["openid_signed_in_at"] = time.time() - 3600
        session.save()
        page = client.get("/account/delete/").content.decode()
        assert "Sign in again first" in page and 'name="again"' in page
        assert client.post("/account/delete/", {"answers": "leave"}).status_code == 200
        assert User.objects.count() == 1
        back = authorize(leave(client, next="/account/delete/", again="1"))
        assert (provider.asked[-1]["prompt"], provider.asked[-1]["max_age"]) == ("login", "0")
        assert client.get(back).url == "/account/delete/"
        assert client.post("/account/delete/", {"answers": "leave"}).url == "/"
        assert not User.objects.exists() and not SocialAccount.objects.exists()

    def test_whoever_did_not_sign_in_again_is_not_believed(self, client, provider):
        provider.forge = lambda claims: {**claims, "auth_time": int(time.time()) - 7200}
        assert "did not work" in refusal(sign_in(client, again="1"))

    def test_an_account_has_no_address_to_reset_by(self, client):
        sign_in(client)
        assert client.get("/account/").status_code == 200
        assert client.get("/account/email/").status_code == 404


class TestAnEmptyInstallation:
    @pytest.fixture(autouse=True)
    def is_empty(self, monkeypatch: pytest.MonkeyPatch, provider: Provider) -> None:
        monkeypatch.setattr(set_up, "is_needed", lambda: not User.objects.exists())

    def test_nobody_becomes_the_first_user_without_the_code(self, client):
        assert sign_in(client).url == "/set-up/" and not User.objects.exists()
        form = {"way": "openid", "code": "AAAA-BBBB-CCCC"}
        assert "not the code" in client.post("/set-up/", form).content.decode()
        assert sign_in(client).url == "/set-up/" and not User.objects.exists()

    @pytest.mark.parametrize("passwords", [True, False])
    def test_whoever_has_the_code_becomes_the_administrator(
        self, client, provider, settings, passwords
    ):
        settings.PASSWORDS = passwords
        assert "Sign in with Example ID" in client.get("/set-up/").content.decode()
        provider.claims |= {"preferred_username": "dana"}
        page = client.post("/set-up/", {"way": "openid", "code": set_up.code()}).content.decode()
        found = re.search(r'content="0;url=([^"]+)"', page)
        assert found and client.get(authorize(html.unescape(found[1]))).url == "/projects/new/"
        user = user_of(client)
        assert user is not None and user.is_superuser and user.username == "dana"
        provider.claims = {"sub": "the next"}
        sign_in(other := Client())
        second = user_of(other)
        assert second is not None and not second.is_staff

"""An unmodified client of each dialect verifies with a running server.

`make captcha-clients` tries these and others with their pages in a browser.
"""

from collections.abc import Callable

import pytest
from django import forms
from django.test import override_settings
from flask import Flask
from flask_wtf import FlaskForm, RecaptchaField
from hcaptcha_field import hCaptchaField

from labeling.models import Site, SiteSecret
from tests.labeling.captcha import birds

Accepts = Callable[[str], bool]


def flask_wtf(server: str, key: str, secret: str) -> Accepts:
    app = Flask("shop")
    app.config |= {
        "RECAPTCHA_PUBLIC_KEY": key,
        "RECAPTCHA_PRIVATE_KEY": secret,
        "RECAPTCHA_VERIFY_SERVER": f"{server}/recaptcha/api/siteverify",
        "WTF_CSRF_ENABLED": False,
    }

    class Order(FlaskForm):
        captcha = RecaptchaField()

    def accepts(response: str) -> bool:
        sent = {"g-recaptcha-response": response}
        with app.test_request_context(method="POST", data=sent):
            return Order().validate_on_submit()

    return accepts


def django_hcaptcha_field(server: str, key: str, secret: str) -> Accepts:
    settings = {
        "HCAPTCHA_VERIFY_URL": f"{server}/siteverify",
        "HCAPTCHA_SITEKEY": key,
        "HCAPTCHA_SECRET": secret,
    }

    def accepts(response: str) -> bool:
        with override_settings(**settings):

            class Order(forms.Form):
                captcha = hCaptchaField()

            return Order({"h-captcha-response": response}).is_valid()

    return accepts


@pytest.mark.parametrize("client", [flask_wtf, django_hcaptcha_field])
def test_a_client_takes_a_response_once_and_with_its_secret_alone(
    live_server, shop: Site, client: Callable[[str, str, str], Accepts]
) -> None:
    secret = SiteSecret.new_secret()
    SiteSecret.objects.create(site=shop, digest=SiteSecret.digest_of(secret), end=secret[-4:])
    accepts = client(live_server.url, shop.key, secret)
    response = birds.pass_at(shop)
    assert not client(live_server.url, shop.key, SiteSecret.new_secret())(response)
    assert accepts(response)
    assert not accepts(response)

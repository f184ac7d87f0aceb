"""An order form with django-hcaptcha-field."""

import os
from typing import Any

from django_shop import page, serve


def pages() -> list[Any]:
    from django import forms
    from hcaptcha_field import hCaptchaField

    class Order(forms.Form):
        captcha = hCaptchaField()

    return [page("", Order)]


serve(
    pages,
    INSTALLED_APPS=["hcaptcha_field"],
    HCAPTCHA_JS_API_URL="https://captcha.example/1/api.js",
    HCAPTCHA_VERIFY_URL="https://captcha.example/siteverify",
    HCAPTCHA_SITEKEY=os.environ["SITE_KEY"],
    HCAPTCHA_SECRET=os.environ["SECRET"],
)

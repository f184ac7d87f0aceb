"""An order form with django-hCaptcha."""

import os
from typing import Any

from django_shop import page, serve


def pages() -> list[Any]:
    from django import forms
    from hcaptcha.fields import hCaptchaField

    class Order(forms.Form):
        captcha = hCaptchaField()

    return [page("", Order)]


serve(
    pages,
    INSTALLED_APPS=["hcaptcha"],
    HCAPTCHA_JS_API_URL="https://captcha.example/1/api.js",
    HCAPTCHA_VERIFY_URL="https://captcha.example/siteverify",
    HCAPTCHA_SITEKEY=os.environ["SITE_KEY"],
    HCAPTCHA_SECRET=os.environ["SECRET"],
)

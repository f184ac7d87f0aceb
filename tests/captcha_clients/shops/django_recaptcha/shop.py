"""Order forms with django-recaptcha: a checkbox, invisible, and version 3."""

import os
from typing import Any

from django_shop import page, serve


def pages() -> list[Any]:
    from django import forms
    from django_recaptcha.fields import ReCaptchaField
    from django_recaptcha.widgets import ReCaptchaV2Invisible, ReCaptchaV3

    class Checkbox(forms.Form):
        captcha = ReCaptchaField()

    class Invisible(forms.Form):
        captcha = ReCaptchaField(widget=ReCaptchaV2Invisible)

    class Version3(forms.Form):
        captcha = ReCaptchaField(widget=ReCaptchaV3(action="order", required_score=0.5))

    return [page("", Checkbox), page("invisible/", Invisible), page("v3/", Version3)]


serve(
    pages,
    scripts="https://captcha.example 'unsafe-inline'",  # its templates have inline scripts
    INSTALLED_APPS=["django_recaptcha"],
    RECAPTCHA_DOMAIN="captcha.example",
    RECAPTCHA_PUBLIC_KEY=os.environ["SITE_KEY"],
    RECAPTCHA_PRIVATE_KEY=os.environ["SECRET"],
)

"""The least of a Django project: pages with a form each, and the server."""

import os
from collections.abc import Callable
from typing import Any
from wsgiref.simple_server import make_server

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

PAGE = """<!doctype html>
<html lang="en">
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; script-src {{ scripts }};
 frame-src https://captcha.example">
<title>Order</title>
<form method="post">{{ form }} <input type="submit" value="Order"></form>
{% if form.errors %}<p>Refused</p>{% endif %}
</html>"""


def serve(
    add_pages: Callable[[], list[Any]], *, scripts: str = "https://captcha.example", **options: Any
) -> None:
    """Configure Django and answer requests.

    add_pages: returns the addresses, once the settings are there. scripts: whose the pages may run.
    """
    options["INSTALLED_APPS"] += ["django.forms"]
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={},
        FORM_RENDERER="django.forms.renderers.TemplatesSetting",
        ROOT_URLCONF="django_shop",
        SECRET_KEY=os.urandom(16).hex(),
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {},
            }
        ],
        USE_I18N=False,
        SCRIPTS=scripts,
        **options,
    )
    django.setup()
    urlpatterns.extend(add_pages())
    make_server("127.0.0.1", int(os.environ["PORT"]), get_wsgi_application()).serve_forever()


def page(address: str, form_class: type[Any]) -> Any:
    """Return the address of a page with a form."""

    def order(request: HttpRequest) -> HttpResponse:
        form = form_class(request.POST or None)
        if form.is_valid():
            return HttpResponse("Thank you for your order.")
        template = engines["django"].from_string(PAGE)
        return HttpResponse(template.render({"form": form, "scripts": settings.SCRIPTS}, request))

    return path(address, order)


urlpatterns: list[Any] = []

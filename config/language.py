"""Which language a request is answered in, and what a page's scripts say in it."""

import gzip
import hashlib
import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation.trans_real import DjangoTranslation
from django.views.i18n import JavaScriptCatalog

ENGLISH = "en"  # the language of the source, of which no catalogue is needed
# Pages that are written in English alone so far: they are served in it, whatever a visitor has
# chosen, so that no page is half translated.
ENGLISH_PAGES = ("/admin/", "/projects/")
YEAR = 365 * 24 * 3600  # seconds


class LanguageMiddleware(LocaleMiddleware):
    """Answer in the visitor's choice, else in what their browser accepts, else in English.

    The API answers a page's scripts in the language of that page.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Activate the language of a request."""
        if is_translated(_page(request)):
            super().process_request(request)
        else:
            translation.activate(ENGLISH)
            request.LANGUAGE_CODE = ENGLISH


def is_translated(path: str) -> bool:
    """Return whether the page at a path speaks all languages."""
    return not path.startswith(ENGLISH_PAGES)


def catalogue(request: HttpRequest, language: str, version: str) -> HttpResponse:
    """Send the sentences of the scripts in a language; a version never changes."""
    if language not in dict(settings.LANGUAGES):
        raise Http404
    accepts_gzip = re.search(r"\bgzip\b", request.headers.get("Accept-Encoding", ""))
    plain, packed = _script(language)
    response = HttpResponse(packed if accepts_gzip else plain, content_type="text/javascript")
    if accepts_gzip:
        response["Content-Encoding"] = "gzip"
    patch_vary_headers(response, ["Accept-Encoding"])
    response["Content-Language"] = language
    current = version == catalogue_version(language)
    # While an old and a new version of the site both answer, neither is kept as the other.
    response["Cache-Control"] = f"public, max-age={YEAR}, immutable" if current else "no-store"
    return response


def preload() -> None:
    """Read the catalogues of all languages, so that no visitor waits for that."""
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            translation.gettext("Take part")
        catalogue_version(code)


@cache
def catalogue_version(language: str) -> str:
    """Return a short hash of what the catalogue of a language says."""
    return hashlib.sha256(_script(language)[0]).hexdigest()[:12]


@cache
def _script(language: str) -> tuple[bytes, bytes]:
    """Return the sentences of the product's own scripts, without those of Django: (…, gzip)."""
    view: Any = JavaScriptCatalog()
    with translation.override(language):
        view.translation = DjangoTranslation(language, domain="djangojs", localedirs=[])
        content: bytes = view.render_to_response(view.get_context_data()).content
    return content, gzip.compress(content, mtime=0)


def _page(request: HttpRequest) -> str:
    """Return the path of the page that sends a request: its own, or for the API its referrer's."""
    path = request.path_info
    if not path.startswith("/api/"):
        return path
    try:
        return urlsplit(request.headers.get("Referer", "")).path or path
    except ValueError:
        return path

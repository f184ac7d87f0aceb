"""What browsers load from here: the widget's script, the frame, and what happens in it.

No cookie is read or set, and nothing here belongs to an account: a page on another site can do no
more with it than anybody can, so that there is nothing to forge a request for.
"""

import gzip
import json
import re
from collections.abc import Callable
from functools import lru_cache, wraps
from http import HTTPStatus
from pathlib import Path
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from labeling import addresses, languages, wording
from labeling.captcha import (
    attempts,
    composing,
    limits,
    sheets,
    sites,
    text_rounds,
    tokens,
    widget_strings,
    work,
)
from labeling.captcha.errors import (
    CaptchaError,
    DoorClosed,
    Expired,
    Invalid,
    Removed,
    TooLarge,
    TooMany,
    UnknownSite,
    WrongHost,
)
from labeling.captcha.passing import Outcome
from labeling.captcha.verifying import TEST_KEYS
from labeling.models import Attempt, Challenge, Site

LONGEST_BODY = 16 * 1024  # bytes; the longest answer has a tenth of them
SCRIPT_SECONDS = 3600  # for which browsers keep the script
SHEET_SECONDS = 600  # … and a sheet
SCRIPTS = 64  # that a process remembers: whoever asks may name many ports of the host
TEST_RESPONSE = "10000000-aaaa-bbbb-cccc-000000000001"  # hCaptcha's, of its test keys
THEMES = "light", "dark", "contrast"
SIZES = "normal", "compact", "invisible"
SCRIPT = Path(settings.FRONTEND_DIR) / "static" / "captcha" / "widget.js"
WORKER = SCRIPT.with_name("work.js")

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def _errors_as_json(view: View[P]) -> Callable[..., HttpResponse]:
    """Answer with the code and the sentence of what cannot be done."""

    @wraps(view)
    def checked(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except CaptchaError as error:
            body: dict[str, object] = {"code": error.code, "detail": str(error)}
            if isinstance(error, DoorClosed):
                body["doors"] = error.doors
            response = JsonResponse(body, status=error.status)
            if isinstance(error, TooMany):
                response["Retry-After"] = str(error.seconds)
        response.setdefault("Cache-Control", "no-store")
        return response

    return checked


@require_GET
def script(request: HttpRequest, dialect: str) -> HttpResponse:
    """Send the widget's script, which speaks a dialect and the language of the page."""
    # By what caches know of a request alone: a cookie of one visitor is nothing to the next.
    accepted = languages.accepted(request.headers.get("Accept-Language", ""))
    known = [code for code, _name in settings.LANGUAGES]
    language = _language(request.GET.get("hl", "")) or languages.choose(
        accepted, known, default="en"
    )
    plain, packed = _script(dialect, language, f"{request.scheme}://{request.get_host()}")
    accepts_gzip = re.search(r"\bgzip\b", request.headers.get("Accept-Encoding", ""))
    response = HttpResponse(packed if accepts_gzip else plain, content_type="text/javascript")
    if accepts_gzip:
        response["Content-Encoding"] = "gzip"
    patch_vary_headers(response, ["Accept-Encoding", "Accept-Language"])
    response["Cache-Control"] = f"public, max-age={SCRIPT_SECONDS}"
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@require_GET
def frame(request: HttpRequest) -> HttpResponse:
    """Send the page of the challenge, which a browser shows on the site's pages alone."""
    language = _language(request.GET.get("hl", ""))
    with translation.override(language or translation.get_language()):
        try:
            origin, config = _config(request, language)
        except CaptchaError as error:
            response = render(request, "captcha/refused.html", {"sentence": str(error)})
            response.status_code = error.status
            origin = "*"  # it says why it cannot be shown, and can do nothing
        else:
            response = render(request, "captcha/frame.html", {"config": config})
    response["Content-Security-Policy"] = _frame_policy(origin)
    response["Cache-Control"] = "no-store"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Cross-Origin-Embedder-Policy"] = "require-corp"
    response["Referrer-Policy"] = "no-referrer"
    response.xframe_options_exempt = True
    return response


@require_GET
def worker(request: HttpRequest) -> HttpResponse:
    """Send the script that computes in the frame, with the policy that the frame has."""
    response = HttpResponse(WORKER.read_bytes(), content_type="text/javascript")
    response["Cache-Control"] = f"public, max-age={SCRIPT_SECONDS}"
    response["Cross-Origin-Embedder-Policy"] = "require-corp"
    return response


@csrf_exempt
@require_POST
@_errors_as_json
def begin(request: HttpRequest) -> HttpResponse:
    """Begin an attempt, and say what its rounds ask."""
    sent = _sent(request, {"ticket": str, "door": str}, {"action": str})
    ticket = tokens.read_ticket(sent["ticket"])
    if ticket.key in TEST_KEYS:
        return JsonResponse(_passed(TEST_RESPONSE), status=HTTPStatus.CREATED)
    attempt = attempts.begin(
        site=_site(ticket.key, ticket.host),
        host=ticket.host,
        door=sent["door"],
        address=addresses.client_address(request),
        action=sent.get("action"),
    )
    if attempt.state == Attempt.State.PASSED:
        return JsonResponse(_passed(tokens.response(attempt.pk)), status=HTTPStatus.CREATED)
    with translation.override(ticket.language or translation.get_language()):
        wanted = (ticket.language.lower(),) if ticket.language else ()
        asked = _asked(attempt, (*wanted, *languages.wanted(request)))
    return JsonResponse(asked, status=HTTPStatus.CREATED)


@require_GET
@_errors_as_json
def sheet(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Send the tiles of a round as one picture."""
    attempt = attempts.find(name)
    if attempt.expires_at <= timezone.now() or attempt.state != Attempt.State.ASKED:
        raise Expired(_("The time is over: begin again."))
    tiles = attempts.tiles_of_round(attempt, number)
    if not tiles:
        raise Invalid(_("There is no such round."))
    if not attempts.may_be_seen(attempt):
        raise Removed(_("A picture was removed meanwhile: begin again."))
    limits.count_sheet(attempt.pk, number)
    try:
        picture = sheets.render(tiles, showing=f"{attempt.pk.hex}/{number}")
    except FileNotFoundError:
        raise Removed(_("A picture was removed meanwhile: begin again.")) from None
    response = HttpResponse(picture, content_type=sheets.CONTENT_TYPE)
    response["Cache-Control"] = f"private, max-age={SHEET_SECONDS}, immutable"
    return response


@csrf_exempt
@require_POST
@_errors_as_json
def answer(request: HttpRequest, name: str) -> HttpResponse:
    """Answer a round."""
    fields: dict[str, type] = {"selected": list, "choices": list, "nonces": list}
    sent = _sent(request, {"round": int}, fields)
    step = attempts.answer(
        attempts.find(name), number=sent.pop("round"), **{key: _numbers(sent, key) for key in sent}
    )
    if step.response:
        return JsonResponse(_passed(step.response))
    if step.outcome is Outcome.ANOTHER:
        return JsonResponse({"outcome": "another", "round": 2})
    return JsonResponse({"outcome": "failed"})


@csrf_exempt
@require_POST
@_errors_as_json
def more_time(request: HttpRequest, name: str) -> HttpResponse:
    """Give an attempt more time."""
    until = attempts.extend(attempts.find(name))
    return JsonResponse({"expires_in": int((until - timezone.now()).total_seconds())})


def _config(request: HttpRequest, language: str) -> tuple[str, dict[str, Any]]:
    """Return the origin that may show the frame, and what its script needs to know."""
    key, origin = request.GET.get("k", ""), _origin(request.GET.get("origin", ""))
    host = urlsplit(origin).hostname or ""
    config: dict[str, Any] = {
        "origin": origin,
        "ticket": tokens.ticket(key, host, language),
        "attempts": reverse("captcha-begin"),
        "theme": _one_of(request.GET.get("theme", ""), THEMES),
        "size": _one_of(request.GET.get("size", ""), SIZES),
        "language": translation.get_language(),
        "dir": languages.direction(translation.get_language() or "en"),
    }
    if key in TEST_KEYS:
        return origin, config | {"site": "", "doors": ["open"], "test": True}
    site = _site(key, host)
    return origin, config | {"site": site.name, "doors": attempts.doors(site)}


def _site(key: str, host: str) -> Site:
    """Return the site of a key that may be shown on a host. Raises UnknownSite or WrongHost."""
    site = sites.find(key)
    if site is None:
        raise UnknownSite(_("There is no site with this key here, or it is switched off."))
    if not sites.allows(site, host):
        sentence = _("This key is not for the pages of %(host)s: add it to the site's host names.")
        raise WrongHost(sentence % {"host": host})
    return site


def _origin(text: str) -> str:
    """Return an origin as browsers write it. Raises WrongHost."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or not re.fullmatch(r"[a-z0-9.\-\[\]:_]{1,253}", host):
        raise WrongHost(_("It can be shown on pages of web sites alone."))
    written = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{written}" + (f":{port}" if port else "")


def _frame_policy(origin: str) -> str:
    return (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
        "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors {origin}"
    )


def _asked(attempt: Attempt, wanted: tuple[str, ...]) -> dict[str, object]:
    """Return what an attempt asks, as the frame shows it."""
    name = tokens.name(attempt.pk)
    asked: dict[str, object] = {
        "attempt": name,
        "door": attempt.door,
        "expires_in": int(attempts.LIFETIME.total_seconds()),
        "rounds": [],
    }
    if attempt.work:
        asked["work"] = work.puzzle(attempt.pk, work.Parameters(*attempt.work))
    if attempt.door == Attempt.Door.WORK:
        return asked
    numbers = range(1, composing.ROUNDS + 1)
    if attempt.door == Attempt.Door.TEXT:
        rounds: list[object] = [{"items": text_rounds.items(attempt, n)} for n in numbers]
        return asked | {"rounds": rounds}
    sheet_of = [reverse("captcha-sheet", args=[name, number]) for number in numbers]
    about = zip(attempt.concepts, sheet_of, strict=True)
    return asked | {"rounds": [_grid(concept, sheet, wanted) for concept, sheet in about]}


def _grid(concept: int, sheet: str, wanted: tuple[str, ...]) -> dict[str, object]:
    """Return a round of tiles about a concept."""
    asks = Challenge(kind=Challenge.Kind.GRID, concept_id=concept)
    sentence = wording.of_challenge(asks, wanted)
    return {
        "before": sentence.before,
        "subject": sentence.subject,
        "after": sentence.after,
        "lang": sentence.language,
        "dir": languages.direction(sentence.language),
        "count": composing.TILES,
        "columns": composing.COLUMNS,
        "sheet": sheet,
    }


def _passed(response: str) -> dict[str, object]:
    return {"outcome": "passed", "response": response, "expires_in": tokens.RESPONSE_SECONDS}


def _sent(
    request: HttpRequest, required: dict[str, type], optional: dict[str, type]
) -> dict[str, Any]:
    """Return the fields of a JSON body, of these types. Raises Invalid or TooLarge."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if length > LONGEST_BODY:
        raise TooLarge(_("This is more than any answer needs."))
    if request.content_type != "application/json":
        raise Invalid(_("Send JSON: Content-Type must be application/json."))
    try:
        sent = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Invalid(_("This is no JSON.")) from None
    if not isinstance(sent, dict):
        raise Invalid(_("Send a JSON object."))
    fields = {**required, **optional}
    for name, kind in fields.items():
        if name in required and name not in sent:
            raise Invalid(_("The field %(name)s is missing.") % {"name": name})
        if name in sent and type(sent[name]) is not kind:
            raise Invalid(_("The field %(name)s has the wrong type.") % {"name": name})
        if kind is str and not _is_text(sent.get(name, "")):
            raise Invalid(_("This is no JSON."))
    return {name: sent[name] for name in fields if name in sent}


def _is_text(text: str) -> bool:
    """Whether a string can be stored: it has no half of a surrogate pair and no NUL."""
    return not re.search("[\0\ud800-\udfff]", text)


def _numbers(sent: dict[str, Any], name: str) -> list[int]:
    """Return a list of whole numbers. Raises Invalid."""
    if not all(type(number) is int and 0 <= number < 2**32 for number in sent[name]):
        raise Invalid(_("The field %(name)s has the wrong type.") % {"name": name})
    numbers: list[int] = sent[name]
    return numbers


def _language(tag: str) -> str:
    """Return the site's language that a tag names; empty where it speaks none of that."""
    known = [code for code, _name in settings.LANGUAGES]
    chosen = languages.choose([tag[: languages.LENGTH]], known, default="") if tag else ""
    return chosen


def _one_of(text: str, known: tuple[str, ...]) -> str:
    return text if text in known else known[0]


@lru_cache(SCRIPTS)
def _script(dialect: str, language: str, origin: str) -> tuple[bytes, bytes]:
    """Return the script of a dialect, plain and gzipped."""
    with translation.override(language):
        shared = {
            "dialect": dialect,
            "origin": origin,
            "language": language,
            "strings": widget_strings.strings(),
        }
    # What is in a string must not end the script where somebody puts it into a page.
    known = json.dumps(shared, ensure_ascii=True).replace("<", "\\u003c")
    text = f"(() => {{\nconst CAPTCHA = {known};\n{SCRIPT.read_text()}\n}})();\n".encode()
    return text, gzip.compress(text, 9, mtime=0)

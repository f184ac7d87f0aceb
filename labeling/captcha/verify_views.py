"""What a site's server asks: whether the response that a visitor's page sent it is good."""

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.views.decorators.csrf import csrf_exempt

from labeling.captcha import dialects, verifying
from labeling.captcha.dialects import Dialect
from labeling.captcha.verifying import Fault, Verdict

DIALECTS = {each.name: each for each in (dialects.RECAPTCHA, dialects.HCAPTCHA)}


@csrf_exempt
def siteverify(request: HttpRequest, dialect: str) -> HttpResponse:
    """Verify a response, sent as a form or in the query; the status is always 200."""
    response = JsonResponse(_answer(request, DIALECTS[dialect]))
    response["Cache-Control"] = "no-store"
    return response


def _answer(request: HttpRequest, dialect: Dialect) -> dict[str, object]:
    try:
        sent = request.POST if request.method == "POST" else request.GET
        given = {name: sent.get(name) or request.GET.get(name, "") for name in _FIELDS}
    except (SuspiciousOperation, BadRequest, MultiPartParserError, ValueError, OSError):
        return dialect.answer(Verdict(Fault.BAD_REQUEST))  # too large, or cut off, or no form
    if request.method not in {"GET", "POST"}:
        return dialect.answer(Verdict(Fault.BAD_REQUEST))
    verdict = verifying.verify(
        secret=given["secret"] or "", response=given["response"] or "", key=given["sitekey"] or ""
    )
    return dialect.answer(verdict)


_FIELDS = "secret", "response", "sitekey"

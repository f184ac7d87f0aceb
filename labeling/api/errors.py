"""Answer every error below /api/ as a problem (RFC 9457), with a word and a sentence."""

import logging
import math
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template import loader
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from rest_framework.response import Response
from rest_framework.views import exception_handler

from labeling import (
    challenges,
    comments,
    concepts,
    decisions,
    exports,
    gold,
    members,
    pace,
    parts,
    presence,
    project_annotators,
    projects,
    reissues,
    removal,
    results,
    review,
    snapshot_difference,
    snapshot_folder,
    tokens,
    visitors,
    webhooks,
    withdrawals,
)
from labeling.api import problems
from labeling.api.exceptions import NotFound, ScopeMissing, TooLarge
from labeling.captcha import sites
from labeling.database_errors import is_away, is_full
from labeling.imports import declarations, staging, undo, uploads
from labeling.imports.answers.entries import AnswersConflict, AnswersError
from labeling.models import Annotator
from labeling.stored_folders import StorageAway, StorageFull

PREFIX = "/api/"
DATABASE_RETRY_AFTER = 2  # seconds

logger = logging.getLogger(__name__)

_ERRORS: dict[type[Exception], tuple[int, str]] = {
    challenges.Invalid: (HTTPStatus.BAD_REQUEST, "invalid"),
    challenges.Forged: (HTTPStatus.FORBIDDEN, "forged"),
    challenges.Foreign: (HTTPStatus.FORBIDDEN, "foreign"),
    challenges.AlreadyAnswered: (HTTPStatus.CONFLICT, "answered"),
    Annotator.DoesNotExist: (HTTPStatus.SERVICE_UNAVAILABLE, "moved"),
    withdrawals.TooLate: (HTTPStatus.CONFLICT, "too_late"),
    withdrawals.TooOften: (HTTPStatus.CONFLICT, "too_often"),
    challenges.Expired: (HTTPStatus.GONE, "expired"),
    results.Unanswered: (HTTPStatus.CONFLICT, "unanswered"),
    results.TooEarly: (HTTPStatus.CONFLICT, "too_early"),
    gold.GoldError: (HTTPStatus.CONFLICT, "conflict"),
    challenges.Enough: (HTTPStatus.CONFLICT, "enough"),
    pace.TooFast: (HTTPStatus.CONFLICT, "too_fast"),
    challenges.Closed: (HTTPStatus.FORBIDDEN, "closed"),
    challenges.Private: (HTTPStatus.FORBIDDEN, "private"),
    visitors.TooManyNewcomers: (HTTPStatus.FORBIDDEN, "newcomers"),
    challenges.Paused: (HTTPStatus.TOO_MANY_REQUESTS, "paused"),
    projects.Invalid: (HTTPStatus.BAD_REQUEST, "invalid"),
    projects.Conflict: (HTTPStatus.CONFLICT, "conflict"),
    projects.NothingToAsk: (HTTPStatus.CONFLICT, "nothing_to_ask"),
    parts.PartsError: (HTTPStatus.CONFLICT, "conflict"),
    members.InvitationError: (HTTPStatus.CONFLICT, "conflict"),
    members.SignInRequired: (HTTPStatus.CONFLICT, "conflict"),
    members.MemberError: (HTTPStatus.CONFLICT, "conflict"),
    project_annotators.BlockError: (HTTPStatus.CONFLICT, "conflict"),
    review.PairError: (HTTPStatus.CONFLICT, "conflict"),
    removal.RemovalError: (HTTPStatus.BAD_REQUEST, "invalid"),
    reissues.ReissueError: (HTTPStatus.CONFLICT, "conflict"),
    snapshot_folder.SnapshotError: (HTTPStatus.CONFLICT, "conflict"),
    snapshot_difference.UnknownPosition: (HTTPStatus.NOT_FOUND, "not_found"),
    undo.UndoError: (HTTPStatus.CONFLICT, "conflict"),
    AnswersError: (HTTPStatus.BAD_REQUEST, "invalid"),
    AnswersConflict: (HTTPStatus.CONFLICT, "conflict"),
    review.Changed: (HTTPStatus.CONFLICT, "changed"),
    presence.PictureGone: (HTTPStatus.NOT_FOUND, "not_found"),
    comments.CommentError: (HTTPStatus.BAD_REQUEST, "invalid"),
    decisions.DecisionError: (HTTPStatus.CONFLICT, "conflict"),
    declarations.DeclarationError: (HTTPStatus.BAD_REQUEST, "invalid"),
    uploads.UploadError: (HTTPStatus.BAD_REQUEST, "invalid"),
    uploads.UploadConflict: (HTTPStatus.CONFLICT, "conflict"),
    uploads.FilesMissing: (HTTPStatus.CONFLICT, "incomplete"),
    uploads.PartMissing: (HTTPStatus.CONFLICT, "gap"),
    uploads.UploadTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large"),
    exports.ExportError: (HTTPStatus.BAD_REQUEST, "invalid"),
    exports.Busy: (HTTPStatus.CONFLICT, "conflict"),
    exports.DiskFull: (HTTPStatus.INSUFFICIENT_STORAGE, "disk_full"),
    staging.DiskFull: (HTTPStatus.INSUFFICIENT_STORAGE, "disk_full"),
    StorageAway: (HTTPStatus.SERVICE_UNAVAILABLE, "storage_away"),
    StorageFull: (HTTPStatus.INSUFFICIENT_STORAGE, "disk_full"),
    sites.SiteError: (HTTPStatus.BAD_REQUEST, "invalid"),
    sites.TooManySites: (HTTPStatus.CONFLICT, "conflict"),
    webhooks.AddressError: (HTTPStatus.BAD_REQUEST, "address"),
    webhooks.HookError: (HTTPStatus.CONFLICT, "conflict"),
    tokens.TokenError: (HTTPStatus.BAD_REQUEST, "invalid"),
    concepts.Conflict: (HTTPStatus.CONFLICT, "conflict"),
    concepts.ConceptError: (HTTPStatus.BAD_REQUEST, "invalid"),
}
_CODES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "invalid",
    HTTPStatus.UNAUTHORIZED: "not_authenticated",
    HTTPStatus.FORBIDDEN: "permission_denied",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.NOT_ACCEPTABLE: "not_acceptable",
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.PRECONDITION_FAILED: "changed",
    HTTPStatus.UNPROCESSABLE_ENTITY: "key_reused",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.TOO_MANY_REQUESTS: "throttled",
    HTTPStatus.INTERNAL_SERVER_ERROR: "error",
}
_DETAILS: dict[int, str | Promise] = {
    HTTPStatus.BAD_REQUEST: _("The request could not be read."),
    HTTPStatus.FORBIDDEN: _("You may not do this."),
    HTTPStatus.NOT_FOUND: NotFound.default_detail,
    HTTPStatus.SERVICE_UNAVAILABLE: _("The server starts again. Try again in a few seconds."),
    HTTPStatus.INTERNAL_SERVER_ERROR: _("The server failed, and has noted it. Try again later."),
}
_DATABASE_FULL = _(
    "The server has no room to store this, and has not stored it: its database's disk is full. "
    "Tell whoever runs it, and send it again later."
)


def handle(error: Exception, context: dict[str, Any]) -> HttpResponseBase | None:
    """Put an error into words, as REST framework's EXCEPTION_HANDLER.

    Return None for an error that is not known: Django then logs it and calls `server_error`.
    """
    if is_away(error):
        return database_away(context["request"], error)
    if known := _ERRORS.get(type(error)):
        status, code = known
        data = problems.problem(status, code=code, detail=str(error))
        if ready_in := getattr(error, "ready_in", None):
            data["ready_in"] = round(ready_in, 1) or 0.1
        refusal = Response(data, status=status, content_type=problems.MEDIA_TYPE)
        if ready_in:
            refusal["Retry-After"] = str(math.ceil(ready_in))
        return refusal
    if isinstance(error, RequestDataTooBig):
        error = TooLarge()
    elif presence.is_of_deleted(error):
        error = NotFound()
    response = exception_handler(error, context)
    if response is None:
        return None
    detail = (
        str(NotFound.default_detail) if isinstance(error, Http404) else _sentence(response.data)
    )
    code = getattr(error, "problem_code", None) or _CODES.get(response.status_code, "invalid")
    response.data = problems.problem(response.status_code, code=code, detail=detail)
    response.content_type = problems.MEDIA_TYPE
    if isinstance(error, ScopeMissing):
        response.data["scope"] = error.scope
        response["WWW-Authenticate"] = (
            f'Bearer error="insufficient_scope", scope="{error.scope}"'  # RFC 6750
        )
    return response


def codes() -> dict[str, list[int]]:
    """Return the statuses with which each code of a problem is sent."""
    pairs = {(code, int(status)) for status, code in _ERRORS.values()}
    pairs |= {(code, int(status)) for status, code in _CODES.items()}
    pairs |= {("scope", 403), ("database_away", 503), ("database_full", 503)}
    by_code: dict[str, list[int]] = {}
    for code, status in sorted(pairs):
        by_code.setdefault(code, []).append(status)
    return by_code


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer where Django itself refuses a request."""
    if _is_api(request):
        return _problem(HTTPStatus.BAD_REQUEST)
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer where a view outside REST framework refuses a request."""
    if _is_api(request):
        return _problem(HTTPStatus.FORBIDDEN)
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer where no address matches."""
    if _is_api(request):
        return _problem(HTTPStatus.NOT_FOUND)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer where a view failed, or the database outside of one: then with the word for that."""
    error = sys.exc_info()[1]
    if is_away(error):
        return database_away(request, error)
    if _is_api(request):
        return _problem(HTTPStatus.INTERNAL_SERVER_ERROR)
    return defaults.server_error(request)


def database_away(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """Log that the database is away or full, and answer that the same may be sent again soon."""
    logger.warning("The database is away: %s", str(error).partition("\n")[0])
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code, detail = "database_away", str(_DETAILS[status])
    if is_full(error):
        code, detail = "database_full", str(_DATABASE_FULL)
    if _is_api(request):
        response: HttpResponse = problems.answer(status, code=code, detail=detail)
    else:  # without the request: what looks up who is signed in needs the database, too
        page = loader.render_to_string("500.html", {"sentence": detail})
        response = HttpResponse(page, status=status)
    response["Retry-After"] = str(DATABASE_RETRY_AFTER)
    return response


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith(PREFIX)


def _problem(status: int) -> HttpResponseBase:
    return problems.answer(status, code=_CODES[status], detail=str(_DETAILS[status]))


def _sentence(data: Any) -> str:
    """Return the first sentence of nested ones: "selected: A valid integer is required."."""
    if isinstance(data, Mapping):
        if "detail" in data:
            return _sentence(data["detail"])
        for name, inner in data.items():
            sentence = _sentence(inner)
            return sentence if name == "non_field_errors" else f"{name}: {sentence}"
    if isinstance(data, Sequence) and not isinstance(data, str):
        return next(
            (_sentence(inner) for inner in data if inner), gettext("The request is not valid.")
        )
    return str(data)

"""Write an error as RFC 9457 does, with a word for programs besides."""

from http import HTTPStatus

from django.http import JsonResponse

MEDIA_TYPE = "application/problem+json"
PAGE = "/api/"  # where each code is explained

_REASONS = {int(status): status.phrase for status in HTTPStatus}


def problem(status: int, *, code: str, detail: str) -> dict[str, object]:
    """Return the body of an error. detail: a sentence for people."""
    return {
        "type": f"{PAGE}#problem-{code}",
        "title": _REASONS[int(status)],
        "status": int(status),
        "detail": detail,
        "code": code,
    }


def answer(status: int, *, code: str, detail: str) -> JsonResponse:
    """Return an error's response, from outside of REST framework."""
    return JsonResponse(
        problem(status, code=code, detail=detail), status=status, content_type=MEDIA_TYPE
    )

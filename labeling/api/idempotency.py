"""Answer a request that is sent again as it was answered first, without doing it again."""

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any, overload

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import kept_answers
from labeling.api.exceptions import KeyReused
from labeling.api.requests import user
from labeling.api.schema import declares, header
from labeling.models import KeptAnswer

HEADER = "Idempotency-Key"
KEY_LENGTH = 255
Post = Callable[..., Response]


@overload
def idempotent(handler: Post) -> Post: ...
@overload
def idempotent(*, secret: str) -> Callable[[Post], Post]: ...
def idempotent(handler: Post | None = None, *, secret: str = "") -> Post | Callable[[Post], Post]:
    """Let a POST of somebody who is signed in be sent again with the same Idempotency-Key.

    The answer is stored in the transaction of what was done: a refusal stores nothing, and a
    request that comes meanwhile waits for the first one's end. secret: a field of the answer that
    is not kept; it is empty when sent again.
    """
    if handler is None:
        return functools.partial(_idempotent, secret=secret)
    return _idempotent(handler, secret)


def _idempotent(handler: Post, secret: str) -> Post:
    @functools.wraps(handler)
    def post(self: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key, by = request.headers.get(HEADER), user(request)
        if key is None or by is None:
            return handler(self, request, *args, **kwargs)
        _check_key(key)
        with transaction.atomic():
            kept, new = kept_answers.claim(by.pk, key, request=_digest(request))
            if not new:
                return _again(kept, request)
            response = handler(self, request, *args, **kwargs)
            _keep(kept, response, secret)
        return response

    declares(
        post, header(HEADER, "Any text: done once, however often it is sent.", KEY_LENGTH), 400, 422
    )
    return post


def _again(kept: KeptAnswer, request: Request) -> Response:
    """Return the answer as it was. Raises KeyReused where the request was another one."""
    if kept.request != _digest(request):
        raise KeyReused
    data = json.loads(kept.body) if kept.body else None
    headers = {"Idempotency-Replayed": "true"} | (
        {"Location": kept.location} if kept.location else {}
    )
    return Response(data, status=kept.status, headers=headers)


def _keep(kept: KeptAnswer, response: Response, secret: str) -> None:
    data = response.data
    if secret and isinstance(data, dict):
        data = {**data, secret: ""}
    body = JSONRenderer().render(data).decode() if data is not None else ""
    location = response.headers.get("Location", "")
    kept_answers.keep(kept, status=response.status_code, body=body, location=location)


def _digest(request: Request) -> str:
    """Return a hash of what is asked: method, address and body, files by their content."""
    body = json.dumps(request.data, sort_keys=True, default=_of_file)
    address = request.get_full_path()
    return hashlib.sha256(f"{request.method} {address} {body}".encode(errors="replace")).hexdigest()


def _of_file(file: Any) -> str:
    """Return the hash of a file that was sent; it is read from its beginning again."""
    if not isinstance(file, UploadedFile):
        return str(file)
    digest = hashlib.sha256(str(file.name).encode(errors="replace"))
    for piece in file.chunks():
        digest.update(piece)
    file.seek(0)
    return digest.hexdigest()


def _check_key(key: str) -> None:
    if not 1 <= len(key) <= KEY_LENGTH:
        sentence = _("A text of at most %(most)s characters.") % {"most": KEY_LENGTH}
        raise ValidationError({HEADER: [sentence]})

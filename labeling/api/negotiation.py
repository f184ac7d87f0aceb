"""Choose how an answer is written."""

from collections.abc import Iterable
from types import SimpleNamespace

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class FormatNegotiation(DefaultContentNegotiation):
    """Heed `?format=yaml` and `?format=json` besides the Accept header, as for the document."""

    settings = SimpleNamespace(URL_FORMAT_OVERRIDE="format")  # type: ignore[assignment]


class PictureNegotiation(DefaultContentNegotiation):
    """Ignore the Accept header: a view that sends a picture has JSON for its errors alone."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str | None]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type

"""Send the OpenAPI document."""

from drf_spectacular.views import SpectacularAPIView
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from labeling.api.negotiation import FormatNegotiation


class SchemaView(SpectacularAPIView):
    """Send the OpenAPI document as YAML or JSON; its errors are JSON, as below all of /api/."""

    content_negotiation_class = FormatNegotiation

    def handle_exception(self, exc: Exception) -> Response:
        response: Response = super().handle_exception(exc)
        self.request.accepted_renderer = JSONRenderer()
        self.request.accepted_media_type = JSONRenderer.media_type
        return response

"""Views that are open to whoever may take part."""

from typing import Any

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from labeling.api import throttles, visitors
from labeling.api.authentication import BearerAuthentication
from labeling.api.views import APIView


class ForVisitors(APIView):
    """A view for whoever may take part, signed in or not."""

    authentication_classes = [BearerAuthentication, visitors.VisitorAuthentication]
    permission_classes = [AllowAny]
    throttle_classes = [throttles.Visits]

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Give whoever has become an annotator their cookie, even with a refusal.

        Else each try of somebody who has to wait would use up a pseudonym of their address.
        """
        response = super().finalize_response(request, response, *args, **kwargs)
        annotator = getattr(request._request, "annotator", None)
        if annotator is not None:
            visitors.remember(response, request, annotator)
        return response

"""Views that are open to whoever may take part."""

from rest_framework.authentication import TokenAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from labeling.api import throttles, visitors


class ForVisitors(APIView):
    """A view for whoever may take part, signed in or not."""

    authentication_classes = [TokenAuthentication, visitors.VisitorAuthentication]
    permission_classes = [AllowAny]
    throttle_classes = [throttles.Visits]

"""An API that takes orders, with drf-recaptcha, and the page that calls it."""

import os
from pathlib import Path
from typing import Any

from django_shop import serve

PAGE = Path(__file__).with_name("page.html").read_text()
SCRIPT = Path(__file__).with_name("page.js").read_text()


def pages() -> list[Any]:
    from django.http import HttpRequest, HttpResponse
    from django.urls import path
    from drf_recaptcha.fields import ReCaptchaV2Field, ReCaptchaV3Field
    from rest_framework import serializers
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class Order(serializers.Serializer):
        captcha = ReCaptchaV2Field()

    class OrderByVersion3(serializers.Serializer):
        captcha = ReCaptchaV3Field(action="order")

    class Orders(APIView):
        serializer_class: type[serializers.Serializer] = Order

        def post(self, request: Request) -> Response:
            order = self.serializer_class(data=request.data, context={"request": request})
            if order.is_valid():
                return Response({"detail": "Thank you for your order."})
            return Response({"detail": "Refused"}, status=400)

    class OrdersByVersion3(Orders):
        serializer_class = OrderByVersion3

    def show(request: HttpRequest, render: str, api: str) -> HttpResponse:
        text = PAGE.replace("{{ site_key }}", os.environ["SITE_KEY"])
        return HttpResponse(text.replace("{{ render }}", render).replace("{{ api }}", api))

    def script(request: HttpRequest) -> HttpResponse:
        return HttpResponse(SCRIPT, content_type="text/javascript")

    version3 = {"render": f"?render={os.environ['SITE_KEY']}", "api": "/api/v3/orders/"}
    return [
        path("", show, {"render": "", "api": "/api/orders/"}),
        path("v3/", show, version3),
        path("page.js", script),
        path("api/orders/", Orders.as_view()),
        path("api/v3/orders/", OrdersByVersion3.as_view()),
    ]


serve(
    pages,
    INSTALLED_APPS=["rest_framework", "drf_recaptcha"],
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None},
    DRF_RECAPTCHA_DOMAIN="captcha.example",
    DRF_RECAPTCHA_SECRET_KEY=os.environ["SECRET"],
)

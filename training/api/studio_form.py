"""The studio's form as a browser without JavaScript posts it: the same request, by other names."""

from typing import Any, cast

from django.http import QueryDict
from rest_framework.request import Request

from training.api.generation_requests import GenerationRequestSerializer, SourceImageParser
from training.api.generations import Generations


class FormGenerations(Generations):
    """Request a generation by the form, under the limits of those who send JSON."""

    parser_classes = [SourceImageParser]

    def body(self, request: Request) -> Any:
        """Return the fields that are filled in, and the picture that the form chooses."""
        form = cast(QueryDict, request.data)
        data = QueryDict(mutable=True)
        for name in GenerationRequestSerializer().fields.keys():  # noqa: SIM118
            if value := form.get(name):
                data[name] = value
        source, _, number = str(form.get("source", "")).partition(" ")
        if upload := form.get("upload"):
            data["source_image"] = upload
        elif source == "example":
            data["example"] = number
        return data

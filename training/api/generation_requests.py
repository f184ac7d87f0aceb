"""A wish as it is posted: JSON, or a form where it brings a picture along."""

from collections.abc import Mapping
from typing import IO, Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404
from rest_framework import serializers
from rest_framework.parsers import DataAndFiles, MultiPartParser

from labeling.api.errors import TooLarge
from training import generation_limits, generations
from training.api import pictures
from training.models import Model

FORM_BYTES = generations.GIVEN_BYTES + 64 * 1024
NO_MODEL = "There is no model that draws yet: train one, for example with the recipe diffusion."


class PictureParser(MultiPartParser):
    """A form with a picture, refused before it is read where it says that it is too large."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> "DataAndFiles[Any, Any]":
        request = (parser_context or {})["request"]
        try:
            size = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            size = 0
        if size > FORM_BYTES:
            raise TooLarge
        return super().parse(stream, media_type, parser_context)


class WishSerializer(serializers.Serializer[Any]):
    """Pictures of a prompt (or none), a strip between two, or the completion of a picture."""

    model = serializers.PrimaryKeyRelatedField(
        queryset=Model.objects.filter(recipe__in=generation_limits.RECIPES).select_related(
            "run__snapshot"
        ),
        required=False,
        help_text="Empty: a current one.",
    )
    project = serializers.SlugField(required=False)
    kind = serializers.ChoiceField(
        choices=generation_limits.Kind.choices, default=generation_limits.Kind.PICTURES
    )
    prompt = serializers.CharField(
        max_length=generation_limits.PROMPT_LIMIT,
        allow_blank=True,
        default="",
        help_text="Empty: a guess.",
    )
    second_prompt = serializers.CharField(
        max_length=generation_limits.PROMPT_LIMIT,
        allow_blank=True,
        allow_null=True,
        default=None,
        help_text="What a strip ends with; null: the first.",
    )
    count = serializers.IntegerField(
        min_value=1, max_value=generation_limits.COUNT_LIMIT, default=4
    )
    seed = serializers.IntegerField(
        min_value=0, max_value=generation_limits.SEED_LIMIT - 1, default=0
    )
    second_seed = serializers.IntegerField(
        min_value=0,
        max_value=generation_limits.SEED_LIMIT - 1,
        allow_null=True,
        default=None,
        help_text="What a strip ends with; null: the first.",
    )
    guidance = serializers.FloatField(
        min_value=0.0,
        max_value=generation_limits.GUIDANCE_LIMIT,
        allow_null=True,
        default=None,
        help_text="null: the model's own.",
    )
    example = serializers.IntegerField(
        min_value=1, required=False, help_text="Complete one of the project's pictures, …"
    )
    drawing = serializers.UUIDField(required=False, help_text="… or a picture of a drawing, …")
    number = serializers.IntegerField(min_value=1, required=False, help_text="… its number,")
    picture = serializers.FileField(required=False, help_text="or one that comes along.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        project = attrs.pop("project", None)
        if "model" not in attrs:
            attrs["model"] = _current(project)
        chosen = {name: attrs.pop(name, None) for name in ("example", "drawing", "number")}
        upload = attrs.pop("picture", None)
        if attrs["kind"] == generation_limits.Kind.COMPLETION:
            attrs["given"] = _given(attrs["model"], upload, **chosen)
        return attrs


def _current(project: str | None) -> Model:
    current = generation_limits.models().filter(current=True)
    model = (current.filter(project__slug=project) if project is not None else current).first()
    if model is None:
        raise serializers.ValidationError(NO_MODEL)
    return model


def _given(
    model: Model,
    upload: "UploadedFile[Any] | None",
    *,
    example: int | None,
    drawing: UUID | None,
    number: int | None,
) -> bytes | None:
    """The bytes of the picture to be completed, from wherever it comes."""
    if upload is not None:
        return bytes(upload.read(FORM_BYTES))
    try:
        if drawing is not None:
            with pictures.sample(drawing, number or 1).file.open("rb") as file:
                return bytes(file.read())
        if example is not None:
            return generation_limits.examples(model)[example - 1].read_bytes()
    except (Http404, OSError, IndexError):
        raise serializers.ValidationError("There is no such picture to complete.") from None
    return None

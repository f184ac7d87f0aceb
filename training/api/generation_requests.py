"""A generation request as it is posted: JSON, or a form where it brings a source image along."""

from collections.abc import Mapping
from typing import IO, Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import Http404
from rest_framework import serializers
from rest_framework.parsers import DataAndFiles, MultiPartParser
from rest_framework.request import Request

from labeling.api.bodies import Body
from labeling.api.exceptions import TooLarge
from labeling.stored_folders import FolderMissing
from training import examples, generation_requests, generators, viewers
from training.api import files
from training.generation_requests import FROM_IMAGE, Kind
from training.models import SEED_LIMIT, Model

FORM_BYTES_MAX = generation_requests.SOURCE_IMAGE_BYTES + 64 * 1024
NO_MODEL = "There is no model that draws this yet: train one, for example with the recipe {recipe}."


class SourceImageParser(MultiPartParser):
    """A form with a file, refused before it is read where it says that it is too large."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> "DataAndFiles[Any, Any]":
        """Parse the form. Raises TooLarge."""
        request = (parser_context or {})["request"]
        try:
            size = int(request.META.get("CONTENT_LENGTH") or 0)
        except ValueError:
            size = 0
        if size > FORM_BYTES_MAX:
            raise TooLarge
        return super().parse(stream, media_type, parser_context)


class VisibleModels(serializers.PrimaryKeyRelatedField[Model]):
    """A model whose pictures the sender may see; others do not exist for them."""

    def get_queryset(self) -> QuerySet[Model]:
        request = self.context.get("request")
        return (
            viewers.models(request._request, request.user) if request else generators.all_models()
        )


class GenerationRequestSerializer(Body):
    """Samples of a prompt (or none), an interpolation between two, or what is drawn on an image.

    An inpainting draws the lower half of a source image, a translation its other half, as models of
    the recipe pairs do. The source is one of `source_image`, `generation` and `example`.
    """

    model = VisibleModels(
        queryset=generators.all_models(),
        required=False,
        help_text="Empty: a current one that can be asked for this kind.",
    )
    project = serializers.SlugField(required=False)
    kind = serializers.ChoiceField(choices=Kind.choices, default=Kind.SAMPLES)
    prompt = serializers.CharField(
        max_length=generation_requests.PROMPT_LIMIT,
        allow_blank=True,
        default="",
        help_text="Empty: unconditional; of a translation, what the source image shows.",
    )
    second_prompt = serializers.CharField(
        max_length=generation_requests.PROMPT_LIMIT,
        allow_blank=True,
        allow_null=True,
        default=None,
        help_text="At an interpolation's end; null: the first.",
    )
    count = serializers.IntegerField(
        min_value=1, max_value=generation_requests.COUNT_LIMIT, default=4
    )
    seed = serializers.IntegerField(min_value=0, max_value=SEED_LIMIT - 1, default=0)
    second_seed = serializers.IntegerField(
        min_value=0,
        max_value=SEED_LIMIT - 1,
        allow_null=True,
        default=None,
        help_text="At an interpolation's end; null: the first.",
    )
    guidance = serializers.FloatField(
        min_value=0.0,
        max_value=generation_requests.GUIDANCE_LIMIT,
        allow_null=True,
        default=None,
        help_text="null: the model's own.",
    )
    draft = serializers.BooleanField(
        default=False,
        help_text="Samples in one call of a network, of a model that can. "
        "It takes the place of your last draft, and is deleted within hours.",
    )
    example = serializers.IntegerField(
        min_value=1,
        required=False,
        help_text="Source image: number of one of the model's examples.",
    )
    generation = serializers.UUIDField(
        required=False, help_text="Source image: a generation whose sample it is."
    )
    number = serializers.IntegerField(
        min_value=1, required=False, help_text="Source image: number of the generation's sample."
    )
    source_image = serializers.FileField(
        required=False, help_text="Source image: an uploaded file."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of `generation_requests.create`."""
        request, project = self.context["request"], attrs.pop("project", None)
        if "model" not in attrs:
            attrs["model"] = _current_model(request, project, attrs["kind"])
        source = {name: attrs.pop(name, None) for name in ("example", "generation", "number")}
        upload = attrs.pop("source_image", None)
        if attrs["kind"] in FROM_IMAGE:
            attrs["source_image"] = _source_image(request, attrs["model"], upload, **source)
        return attrs


def _current_model(request: Request, project: str | None, kind: str) -> Model:
    """Return the current accepted model, else the newest that was; raise where there is none."""
    recipes = generators.KINDS[Kind(kind)]
    accepted = generators.accepted(recipes).order_by().values("pk")
    models = viewers.models(request._request, request.user).filter(pk__in=accepted)
    model = (models.filter(project__slug=project) if project is not None else models).first()
    if model is None:
        raise serializers.ValidationError(NO_MODEL.format(recipe=recipes[0]))
    return model


def _source_image(
    request: Request,
    model: Model,
    upload: "UploadedFile[Any] | None",
    *,
    example: int | None,
    generation: UUID | None,
    number: int | None,
) -> bytes | None:
    """Return the bytes of the image to draw on, from wherever it comes."""
    if upload is not None:
        return bytes(upload.read(FORM_BYTES_MAX))
    try:
        if generation is not None:
            with files.get_sample(request, generation, number or 1).file.open("rb") as file:
                return bytes(file.read())
        if example is None:
            return None
        if found := examples.read(model, example):
            return found.data
    except (Http404, OSError, FolderMissing):
        pass
    raise serializers.ValidationError("There is no such picture to draw on.")

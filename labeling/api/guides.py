"""What annotators are shown of a concept, and its examples; an owner picks these."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import access, examples, guides, languages
from labeling.access import Capability
from labeling.api import visitors
from labeling.api.bodies import Body
from labeling.api.conditional import check, guarded, versioned
from labeling.api.exceptions import NotFound
from labeling.api.fields import DIRECTIONS, Number
from labeling.api.for_visitors import ForVisitors
from labeling.api.idempotency import idempotent
from labeling.api.negotiation import PictureNegotiation
from labeling.api.permissions import may
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.concepts.edits import lock
from labeling.examples import NOTE_LENGTH
from labeling.images import tiles
from labeling.models import Concept, ConceptExample, Project, Tile

GUIDE_SECONDS = 60  # for which a browser may keep a guide
PICTURE_SECONDS = 86_400
MAY_PICK = may(
    Capability.VIEW,
    Capability.MANAGE,
    models=(Concept,),
    staff_write="labeling.change_concept",
    staff_delete="labeling.change_concept",
)


class ExampleOut(serializers.ModelSerializer[ConceptExample]):
    shows = serializers.BooleanField(help_text="Whether it shows the concept.")
    hard = serializers.BooleanField(help_text="Whether that is hard to tell.")
    url = serializers.SerializerMethodField(help_text="Of its picture.")

    class Meta:
        model = ConceptExample
        fields = ["id", "tile", "kind", "shows", "hard", "note", "url"]
        read_only_fields = fields

    def get_url(self, example: ConceptExample) -> str:
        slug = example.tile.image.project.slug
        return reverse("api-example-picture", args=[slug, example.pk])


class ExampleIn(Body):
    tile = Number(min_value=1, help_text="The id of a whole picture's tile.")
    kind = serializers.ChoiceField(choices=ConceptExample.Kind.choices)
    note = serializers.CharField(max_length=NOTE_LENGTH, required=False, allow_blank=True)


class GuideOut(serializers.Serializer[Any]):
    concept = serializers.IntegerField(source="concept.pk")
    phrase = serializers.CharField(help_text='"a bicycle"')
    lang = serializers.CharField(source="language", help_text="Language tag of the phrase.")
    dir = serializers.ChoiceField(
        choices=DIRECTIONS, source="direction", help_text="In which the phrase is written."
    )
    definition = serializers.CharField(source="concept.definition", allow_blank=True)
    definition_lang = serializers.CharField(
        source="concept.project.language", help_text="Language tag of the definition and notes."
    )
    examples = ExampleOut(many=True)


class ConceptGuide(ForVisitors):
    @extend_schema(
        operation_id="concepts_guide", responses={200: GuideOut, **errors(401, 403, 404, 429)}
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        """Explain a concept to whoever may take part: phrase, definition and examples."""
        project = open_to(request, slug)
        concepts = project.concepts.select_related("project").filter(merged_into=None)
        guide = guides.of(get_object_or_404(concepts, pk=pk), wanted(request))
        response = versioned(Response(GuideOut(guide).data), guides.version(guide.concept))
        response["Cache-Control"] = f"private, max-age={GUIDE_SECONDS}"
        response["Vary"] = "Accept-Language, Cookie"
        return response


class ExamplePicture(ForVisitors):
    throttle_classes = []
    content_negotiation_class = PictureNegotiation

    @extend_schema(
        operation_id="examples_picture",
        responses={(200, "image/webp"): OpenApiTypes.BINARY, **errors(401, 403, 404)},
    )
    def get(self, request: Request, slug: str, pk: int) -> HttpResponse:
        """Send the picture of an example, to whoever may take part."""
        project = open_to(request, slug)
        rows = ConceptExample.objects.select_related("tile__image")
        example = get_object_or_404(rows, pk=pk, concept__project=project)
        return send_picture(example.tile)


class ExampleList(APIView):
    """A concept's examples."""

    permission_classes = [MAY_PICK]

    @extend_schema(
        operation_id="examples_list",
        responses={200: ExampleOut(many=True), **errors(401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> Response:
        """List a concept's examples, the clear ones first."""
        concept = get_object_or_404(Concept, pk=pk)
        response = Response(ExampleOut(guides.examples(concept), many=True).data)
        return versioned(response, guides.version(concept))

    @extend_schema(
        operation_id="examples_choose",
        request=ExampleIn,
        responses={201: ExampleOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    @guarded
    def post(self, request: Request, pk: int) -> Response:
        """Make a picture an example, or change one; its question is decided by it."""
        concept = get_object_or_404(Concept.objects.select_related("project"), pk=pk)
        body = ExampleIn(data=request.data)
        body.is_valid(raise_exception=True)
        values = dict(body.validated_data)
        rows = Tile.objects.select_related("image__project")
        tile = get_object_or_404(rows, pk=values.pop("tile"), image__project=concept.project_id)
        by = cast(User, request.user)
        with _unchanged(request, concept):
            example = examples.choose(concept=concept, tile=tile, by=by, **values)
        return Response(ExampleOut(example).data, status=status.HTTP_201_CREATED)


class ExampleDetail(APIView):
    permission_classes = [MAY_PICK]

    @extend_schema(operation_id="examples_remove", responses={204: None, **errors(401, 403, 404)})
    @guarded
    def delete(self, request: Request, pk: int, example: int) -> Response:
        """Let a picture be an example no more."""
        rows = ConceptExample.objects.select_related("concept__project", "tile__image")
        row = get_object_or_404(rows, pk=example, concept=pk)
        with _unchanged(request, row.concept):
            examples.remove(example=row, by=cast(User, request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)


@contextmanager
def _unchanged(request: Request, concept: Concept) -> Iterator[None]:
    """Hold a concept's guide as it is, once it is what If-Match names: PreconditionFailed."""
    with transaction.atomic():
        lock(concept.project)
        check(request, guides.version(concept))
        yield


def open_to(request: Request, slug: str) -> Project:
    """Return the project of that slug if the caller may take part or see its pages.

    Raises NotFound.
    """
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise NotFound
    takes_part = project.active and access.may_take_part(
        request.user, visitors.known(request), project
    )
    if not takes_part and not access.may(request.user, project, Capability.VIEW):
        raise NotFound
    return project


def wanted(request: Request) -> tuple[str, ...]:
    """Return the language tags that a caller wants, the most wanted first."""
    return languages.wanted(request._request)


def send_picture(tile: Tile) -> HttpResponse:
    """Return the response with a tile's picture. Raises NotFound."""
    try:
        picture = tiles.as_webp(tile)
    except FileNotFoundError:
        raise NotFound("The picture is gone.") from None
    response = HttpResponse(picture, content_type="image/webp")
    response["Cache-Control"] = f"private, max-age={PICTURE_SECONDS}"
    return response

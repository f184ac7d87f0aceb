"""Concepts over HTTP, for members and staff: create, change, switch off, merge and delete them."""

from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import concepts, merging, project_stats, tasks
from labeling.access import Capability
from labeling.api import views
from labeling.api.bodies import Body
from labeling.api.conditional import check, expecting, guarded, versioned
from labeling.api.fields import Number, Weight, YesOrNo
from labeling.api.idempotency import idempotent
from labeling.api.pagination import ById
from labeling.api.permissions import may
from labeling.api.queries import Flag, Query
from labeling.api.requests import valid
from labeling.api.responses import made
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.concepts.names import (
    ALIASES_MAX,
    DEFINITION_LENGTH,
    NAME_LENGTH,
    PHRASE_LENGTH,
)
from labeling.models import Concept, Project

LIST_LENGTH = 250_000  # characters of a thousand lines
MAY_ADD = may(
    Capability.VIEW, Capability.MANAGE, models=(Concept,), staff_write="labeling.add_concept"
)
MAY_CHANGE = may(
    Capability.VIEW,
    Capability.MANAGE,
    models=(Concept,),
    staff_write="labeling.change_concept",
    staff_delete="labeling.delete_concept",
)


class ConceptOut(serializers.ModelSerializer[Concept]):
    project = serializers.SlugRelatedField[Any]("slug", read_only=True)
    phrases = serializers.SerializerMethodField(
        help_text="In other languages than the project's, by language tag."
    )
    complete = serializers.SerializerMethodField(
        help_text="False while a worker takes over what imports state of many pictures, or moves "
        "the questions of a concept that was merged."
    )

    class Meta:
        model = Concept
        fields = [
            "id",
            "project",
            "name",
            "phrase",
            "definition",
            "aliases",
            "phrases",
            "active",
            "value",
            "prevalence",
            "merged_into",
            "complete",
            "version",
        ]
        read_only_fields = fields

    def get_phrases(self, concept: Concept) -> dict[str, str]:
        return {each.language: each.phrase for each in concept.phrases.all()}

    def get_complete(self, concept: Concept) -> bool:
        return concept.unfinished_from is None


class ConceptIn(Body):
    name = serializers.CharField(max_length=NAME_LENGTH, help_text='As asked: "bicycle".')
    phrase = serializers.CharField(
        max_length=PHRASE_LENGTH,
        required=False,
        allow_blank=True,
        help_text='With its article, "a bicycle"; where it is empty, made from the name.',
    )
    definition = serializers.CharField(
        max_length=DEFINITION_LENGTH,
        required=False,
        allow_blank=True,
        help_text="A sentence: what counts as one, and what does not.",
    )
    phrases = serializers.DictField(
        child=serializers.CharField(max_length=PHRASE_LENGTH, allow_blank=True),
        required=False,
        help_text='In other languages than the project\'s, by language tag: {"de": "ein Fahrrad"}. '
        "They replace all.",
    )
    aliases = serializers.ListField(
        child=serializers.CharField(max_length=NAME_LENGTH),
        max_length=ALIASES_MAX,
        required=False,
        help_text="Other names: a keyword that equals one counts for the concept.",
    )
    active = YesOrNo(required=False, help_text="Whether questions about it are asked.")
    value = Weight(required=False, help_text="Weight of its labels when questions are chosen.")


class ConceptChangeIn(ConceptIn):
    name = serializers.CharField(max_length=NAME_LENGTH, required=False)
    keep_name = YesOrNo(
        required=False, help_text="False: a name that is changed does not become an alias."
    )


class LinesIn(Body):
    text = serializers.CharField(
        max_length=LIST_LENGTH,
        trim_whitespace=False,
        help_text="A concept a line: `bicycle` or `bicycle: a bicycle`.",
    )


class ProblemOut(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="Of the line, from 1.")
    line = serializers.CharField()
    why = serializers.CharField()


class AddedOut(serializers.Serializer[Any]):
    concepts = ConceptOut(many=True)
    problems = ProblemOut(many=True)


class MergeIn(Body):
    into = Number(min_value=1, help_text="The id of the concept that takes over.")


class MergedOut(serializers.Serializer[Any]):
    concept = ConceptOut(help_text="The one that took over.")
    questions = serializers.IntegerField(help_text="Questions that were moved.")
    answers = serializers.IntegerField(help_text="Answers that were moved.")
    kept = serializers.IntegerField(
        help_text="Answers that were kept beside: their annotators had answered both."
    )
    left = serializers.IntegerField(help_text="Questions that a worker moves within minutes.")
    message = serializers.CharField()


class ConceptFilters(Query):
    q = serializers.CharField(
        required=False, max_length=NAME_LENGTH, help_text="A part of its name, or an alias."
    )
    active = Flag(required=False, help_text="Whether questions about it are asked.")
    merged = Flag(
        required=False, default=False, help_text="true: list those that were merged, too."
    )


@extend_schema_view(
    get=extend_schema(
        operation_id="concepts_list",
        responses={200: ConceptOut(many=True), **errors(400, 401, 403, 404)},
    )
)
class ConceptList(views.ListAPIView[Concept]):
    """A project's concepts."""

    permission_classes = [MAY_ADD]
    serializer_class = ConceptOut
    pagination_class = ById
    queries: ClassVar = {"GET": ConceptFilters}

    def get_queryset(self) -> QuerySet[Concept]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        chosen = self.chosen()
        rows = project.concepts.select_related("project").prefetch_related("phrases")
        if not chosen["merged"]:
            rows = rows.filter(merged_into=None)
        if "active" in chosen:
            rows = rows.filter(active=chosen["active"])
        if words := chosen.get("q"):
            rows = rows.filter(Q(name__icontains=words) | Q(aliases__contains=[words]))
        return rows

    @extend_schema(
        operation_id="concepts_create",
        request=ConceptIn,
        responses={201: ConceptOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Create a concept; people are asked about it at once."""
        project = get_object_or_404(Project, slug=slug)
        by = cast(User, request.user)
        values = valid(ConceptIn(data=request.data))
        concept = concepts.create(project=project, by=by, **values)
        tasks.finish_concept_later(concept)
        return made("concept", concept.pk, data=ConceptOut(concept).data)


class ConceptDetail(views.GenericAPIView[Concept]):
    permission_classes = [MAY_CHANGE]
    queryset = Concept.objects.select_related("project")
    serializer_class = ConceptOut

    @extend_schema(
        operation_id="concepts_detail", responses={200: ConceptOut, **errors(401, 403, 404)}
    )
    def get(self, request: Request, pk: int) -> Response:
        """One concept."""
        concept = self.get_object()
        return versioned(Response(ConceptOut(concept).data), concept.version)

    @extend_schema(
        operation_id="concepts_change",
        request=ConceptChangeIn,
        responses={200: ConceptOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @guarded
    def patch(self, request: Request, pk: int) -> Response:
        """Change a concept: its name, texts and aliases, or whether it is asked about."""
        changes = valid(ConceptChangeIn(data=request.data))
        by, concept = cast(User, request.user), self.get_object()
        with expecting(request, concept.version, concepts.Conflict) as version:
            changed = concepts.edit(concept=concept, by=by, version=version, **changes)
        tasks.finish_concept_later(changed)
        return versioned(Response(ConceptOut(changed).data), changed.version)

    @extend_schema(
        operation_id="concepts_delete",
        responses={204: None, **errors(401, 403, 404, 409)},
    )
    @guarded
    def delete(self, request: Request, pk: int) -> Response:
        """Delete a concept that nobody has answered about."""
        concept = self.get_object()
        check(request, concept.version)
        concepts.delete(concept, by=cast(User, request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)


class AddConcepts(APIView):
    permission_classes = [MAY_ADD]

    @extend_schema(
        operation_id="concepts_add",
        request=LinesIn,
        responses={200: AddedOut, **errors(400, 401, 403, 404, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Add a concept for each line of a list; lines that do not fit are said, and left out."""
        project = get_object_or_404(Project, slug=slug)
        text = valid(LinesIn(data=request.data))["text"]
        added = concepts.add_lines(project=project, text=text, by=cast(User, request.user))
        tasks.finish_concepts_later()
        return Response(AddedOut(added).data)


class MergeConcept(APIView):
    permission_classes = [MAY_CHANGE]

    @extend_schema(
        operation_id="concepts_merge",
        request=MergeIn,
        responses={200: MergedOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request, pk: int) -> Response:
        """Merge a concept into another one, which takes over its questions, answers and names."""
        concept = get_object_or_404(Concept.objects.select_related("project"), pk=pk)
        into = valid(MergeIn(data=request.data))["into"]
        merged_into = Concept.objects.filter(project__in=MAY_CHANGE.projects(request))
        survivor = get_object_or_404(merged_into.select_related("project"), pk=into)
        by = cast(User, request.user)
        merged = merging.merge(concept=concept, into=survivor, by=by)
        for each in (merged.concept, merged.into):
            tasks.finish_concept_later(each)
        project_stats.forget_all()
        body = {"concept": merged.into, **merged.counts._asdict(), "left": merged.left}
        return Response(MergedOut(body | {"message": str(merged)}).data)

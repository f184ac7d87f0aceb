"""One's own answers over HTTP, for whoever has taken part: read, withdraw, take along."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import own_answers, withdrawals
from labeling.addresses import client_address
from labeling.api import throttles, visitors
from labeling.api.bodies import Body
from labeling.api.challenges import POST_AUTH
from labeling.api.exceptions import NotFound
from labeling.api.for_visitors import ForVisitors
from labeling.api.negotiation import PictureNegotiation
from labeling.api.pagination import Forward
from labeling.api.queries import Query
from labeling.api.requests import valid
from labeling.api.responses import NO_STORE, private
from labeling.api.schema import errors
from labeling.api.serializers import RESULT_STATES, VotesOut
from labeling.images import variants
from labeling.models import Annotator, Tile
from labeling.own_answers import OwnAnswer
from labeling.withdrawals import Withdrawn

PICTURE_SECONDS = 3600  # for which a browser may keep one
ID_MAX = 2**63 - 1


class InProjectOut(serializers.Serializer[Any]):
    project = serializers.CharField()
    name = serializers.CharField()
    answers = serializers.IntegerField()
    captions = serializers.IntegerField()


class MeOut(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="Of the account, or the browser's pseudonym.")
    answers = serializers.IntegerField()
    captions = serializers.IntegerField()
    archived = serializers.IntegerField(help_text="Answers about pictures that were removed.")
    withdrawn = serializers.IntegerField(help_text="Answers that you withdrew.")
    projects = InProjectOut(many=True)


class OwnAnswerOut(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    project = serializers.CharField()
    challenge = serializers.UUIDField(allow_null=True)
    subject = serializers.CharField(help_text="What was asked about.")
    value = serializers.BooleanField()
    answered_at = serializers.DateTimeField()
    picture = serializers.CharField()
    state = serializers.ChoiceField(
        choices=RESULT_STATES,
        help_text="What became of the question; open, too, where it is not shown.",
    )
    others = VotesOut(allow_null=True)
    model = serializers.BooleanField(allow_null=True)


class WithdrawIn(Body):
    project = serializers.SlugField(max_length=60, required=False, allow_null=True, default=None)
    all = serializers.BooleanField(help_text="True: that this is meant.")

    def validate_all(self, value: bool) -> bool:
        """Refuse what does not say that all of it is meant."""
        if not value:
            raise serializers.ValidationError('Send {"all": true} to withdraw all your answers.')
        return value


class WithdrawnOut(serializers.Serializer[Any]):
    answers = serializers.IntegerField()
    captions = serializers.IntegerField()


class OwnAnswerFilters(Query):
    project = serializers.SlugField(
        required=False, max_length=60, help_text="In which alone: its short name."
    )


class Me(ForVisitors):
    @extend_schema(operation_id="me", responses={200: MeOut, **errors(401, 403, 404, 429)})
    def get(self, request: Request) -> Response:
        """Return how much you answered, by project."""
        annotator = _me(request)
        totals = own_answers.totals(annotator)
        return private(
            {
                "name": str(annotator),
                "answers": totals.answers,
                "captions": totals.captions,
                "archived": totals.archived,
                "withdrawn": totals.withdrawn,
                "projects": [
                    {
                        "project": each.project.slug,
                        "name": each.project.name,
                        "answers": each.answers,
                        "captions": each.captions,
                    }
                    for each in totals.projects
                ],
            }
        )


class MyAnswers(ForVisitors):
    pagination_class = Forward
    queries: ClassVar = {"GET": OwnAnswerFilters}

    @extend_schema(
        operation_id="me_answers",
        responses={200: OwnAnswerOut(many=True), **errors(400, 401, 403, 404, 429)},
    )
    def get(self, request: Request) -> Response:
        """List your answers, the newest first."""
        annotator = _me(request)
        slug = self.chosen().get("project")
        pages = Forward()
        before, count = request.query_params.get("cursor", ""), pages.get_page_size(request)
        project = own_answers.project_or_404(annotator, slug)
        try:
            page = own_answers.page(annotator, project=project, before=before, count=count)
        except own_answers.NoSuchPage:
            raise NotFound from None
        return private(pages.body(request, [_row(each) for each in page.answers], page.before))


class MyAnswerPicture(ForVisitors):
    throttle_classes = []
    content_negotiation_class = PictureNegotiation

    @extend_schema(
        operation_id="me_answer_picture",
        responses={(200, variants.CONTENT_TYPE): OpenApiTypes.BINARY, **errors(401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Send the picture that one of your answers is about."""
        return _picture(own_answers.tile(visitors.known(request), _id(pk)), showing=f"answer {pk}")


class MyCaptionPicture(ForVisitors):
    throttle_classes = []
    content_negotiation_class = PictureNegotiation

    @extend_schema(
        operation_id="me_caption_picture",
        responses={(200, variants.CONTENT_TYPE): OpenApiTypes.BINARY, **errors(401, 403, 404)},
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Send the picture that you described."""
        tile = own_answers.tile(visitors.known(request), _id(pk), written=True)
        return _picture(tile, showing=f"caption {pk}")


class WithdrawAnswer(ForVisitors):
    throttle_classes = [throttles.Answers]

    @extend_schema(
        operation_id="me_answer_withdraw",
        auth=POST_AUTH,
        request=None,
        responses={200: WithdrawnOut, **errors(401, 403, 404, 429)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Withdraw one of your answers: it is deleted and counts for nothing."""
        answer = own_answers.answer(visitors.known(request), _id(pk))
        if answer is None:
            raise NotFound
        address = client_address(request._request)
        return _withdrawn(withdrawals.withdraw_answer(answer=answer, address=address))


class WithdrawCaption(ForVisitors):
    throttle_classes = [throttles.Answers]

    @extend_schema(
        operation_id="me_caption_withdraw",
        auth=POST_AUTH,
        request=None,
        responses={200: WithdrawnOut, **errors(401, 403, 404, 429)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Withdraw a caption that you wrote: its words are deleted."""
        caption = own_answers.caption(visitors.known(request), _id(pk))
        if caption is None:
            raise NotFound
        return _withdrawn(withdrawals.withdraw_caption(caption=caption))


class WithdrawChallenge(ForVisitors):
    throttle_classes = [throttles.Answers]

    @extend_schema(
        operation_id="me_challenge_withdraw",
        auth=POST_AUTH,
        request=None,
        responses={200: WithdrawnOut, **errors(401, 403, 404, 429)},
    )
    def post(self, request: Request, pk: UUID) -> Response:
        """Withdraw all your answers to one challenge."""
        challenge = own_answers.challenge(visitors.known(request), pk)
        if challenge is None:
            raise NotFound
        address = client_address(request._request)
        return _withdrawn(withdrawals.withdraw_challenge(challenge=challenge, address=address))


class WithdrawAll(ForVisitors):
    throttle_classes = [throttles.Answers]

    @extend_schema(
        operation_id="me_withdraw",
        auth=POST_AUTH,
        request=WithdrawIn,
        responses={200: WithdrawnOut, **errors(400, 401, 403, 404, 413, 415, 429)},
    )
    def post(self, request: Request) -> Response:
        """Withdraw all that you answered and wrote, in one project or in all."""
        annotator = _me(request)
        slug = valid(WithdrawIn(data=request.data))["project"]
        project = own_answers.project_or_404(annotator, slug)
        address = client_address(request._request)
        withdrawn = withdrawals.withdraw_all(annotator=annotator, project=project, address=address)
        return _withdrawn(withdrawn)


class MyData(ForVisitors):
    @extend_schema(
        operation_id="me_data",
        responses={(200, "application/json"): OpenApiTypes.OBJECT, **errors(401, 403, 404, 429)},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Send all that is kept of your answers as a file."""
        response = StreamingHttpResponse(
            own_answers.export(_me(request)), content_type="application/json"
        )
        response["Content-Disposition"] = 'attachment; filename="your-answers.json"'
        response["Cache-Control"] = NO_STORE
        return response


def _me(request: Request) -> Annotator:
    annotator = visitors.known(request)
    if annotator is None:
        raise NotFound("You have not answered anything yet.")
    return annotator


def _id(pk: int) -> int:
    if pk > ID_MAX:
        raise NotFound
    return pk


def _row(own: OwnAnswer) -> dict[str, object]:
    votes = own.result.others
    return {
        "id": own.pk,
        "project": own.project.slug,
        "challenge": own.challenge,
        "subject": own.subject,
        "value": own.value,
        "answered_at": own.answered_at,
        "picture": reverse("me-answer-picture", args=[own.pk]),
        "state": own.result.state,
        "others": {"yes": votes.yes, "no": votes.no} if votes else None,
        "model": own.result.model,
    }


def _picture(tile: Tile | None, *, showing: str) -> HttpResponse:
    if tile is None:
        raise NotFound
    try:
        picture = variants.render(tile, showing=showing)
    except FileNotFoundError:
        raise NotFound("The picture is gone.") from None
    response = HttpResponse(picture, content_type=variants.CONTENT_TYPE)
    response["Cache-Control"] = f"private, max-age={PICTURE_SECONDS}"
    return response


def _withdrawn(withdrawn: Withdrawn) -> Response:
    return private({"answers": withdrawn.answers, "captions": withdrawn.captions})

"""Challenges over HTTP, for anybody: issue one, show its tiles, answer or skip it."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from labeling import (
    annotators,
    challenges,
    counters,
    guides,
    languages,
    prepared,
    results,
    withdrawals,
    wording,
)
from labeling.addresses import client_address
from labeling.answers import Outcome
from labeling.api import throttles, visitors
from labeling.api.exceptions import NotFound
from labeling.api.for_visitors import ForVisitors
from labeling.api.negotiation import PictureNegotiation
from labeling.api.requests import valid
from labeling.api.responses import private
from labeling.api.schema import errors
from labeling.api.serializers import (
    AnswerIn,
    ChallengeIn,
    ChallengeOut,
    FetchedAheadOut,
    OutcomeOut,
    ResultOut,
    SkipIn,
    SkippedOut,
    UndoneOut,
)
from labeling.images import tiles, variants
from labeling.models import Annotator, Challenge, Project, Scope

PICTURE_SECONDS = 3600  # for which a browser may keep a tile
_CSRF: dict[str, list[str]] = {"csrfCookie": [], "csrfHeader": []}
POST_AUTH: Any = [  # of programs, visitors and newcomers
    {"token": [str(Scope.ANNOTATE)]},
    {**_CSRF, "visitor": []},
    _CSRF,
]
_JUDGED = {True: "passed", False: "failed", None: "answered"}  # by its gold tiles, if it has any
TOKEN_SECONDS = 20  # for which the tiles of a challenge are cached


class IssueChallenge(ForVisitors):
    def get_throttles(self) -> list[BaseThrottle]:
        data = self.request.data
        ahead = isinstance(data, Mapping) and data.get("ahead")
        return [throttles.AsksAhead() if ahead else throttles.Asks()]

    @extend_schema(
        operation_id="challenges_issue",
        auth=POST_AUTH,
        request=ChallengeIn,
        responses={
            201: ChallengeOut,
            204: OpenApiResponse(description="Nothing is left to ask."),
            **errors(400, 401, 403, 404, 409, 413, 415, 429),
        },
    )
    def post(self, request: Request) -> Response:
        """Issue a challenge."""
        options = valid(ChallengeIn(data=request.data))
        project = prepared.first(Project, "WHERE slug = %s", [options["project"]])
        if project is None:
            raise NotFound
        if visitors.known(request) is None:  # nobody is made an annotator to be turned away
            challenges.admit(project=project, user=request.user, annotator=None)
        annotator = visitors.welcome(request)
        challenge = challenges.issue(
            annotator=annotator,
            project=project,
            kind=options["kind"],
            ahead=options["ahead"],
            address=client_address(request._request),
        )
        if challenge is None:
            counters.count("challenges", kind=options["kind"] or "any", outcome="none")
            return Response(status=status.HTTP_204_NO_CONTENT)
        counters.count("challenges", kind=challenge.kind, outcome="issued")
        return Response(_data(challenge, request), status=status.HTTP_201_CREATED)


class FetchedAhead(ForVisitors):
    @extend_schema(
        operation_id="challenges_ahead",
        responses={200: FetchedAheadOut, **errors(401, 403, 404, 429)},
    )
    def get(self, request: Request, slug: str) -> Response:
        """List the challenges that were fetched ahead and can still be answered, oldest first."""
        project = prepared.first(Project, "WHERE slug = %s", [slug])
        if project is None:
            raise NotFound
        annotator = visitors.known(request)
        challenges.admit(project=project, user=request.user, annotator=annotator)
        pending = challenges.fetched_ahead(annotator, project) if annotator else []
        return Response(
            {
                "limit": settings.OFFLINE_CHALLENGES,
                "challenges": [
                    {"token": challenges.token(challenge), "expires_in": _expires_in(challenge)}
                    for challenge in pending
                ],
            }
        )


class TilePicture(ForVisitors):
    throttle_classes = [throttles.Tiles]
    content_negotiation_class = PictureNegotiation

    @extend_schema(
        operation_id="challenges_tile",
        responses={
            (200, variants.CONTENT_TYPE): OpenApiTypes.BINARY,
            **errors(401, 403, 404, 410, 429),
        },
    )
    def get(self, request: Request, token: str, number: int) -> HttpResponse:
        """Send the picture of a tile, to the annotator whose challenge shows it."""
        packed = _tiles(request, token)
        tile = packed[number - 1] if 1 <= number <= len(packed) else None
        if tile is None:
            raise NotFound
        try:
            picture = variants.render(tiles.unpack(tile), showing=f"{token}/{number}")
        except FileNotFoundError:
            raise NotFound(_("The picture is gone.")) from None
        response = HttpResponse(picture, content_type=variants.CONTENT_TYPE)
        response["Cache-Control"] = f"private, max-age={PICTURE_SECONDS}, immutable"
        return response


class AnswerChallenge(ForVisitors):
    throttle_classes = [throttles.Answers]

    @extend_schema(
        operation_id="challenges_answer",
        auth=POST_AUTH,
        request=AnswerIn,
        responses={200: OutcomeOut, **errors(400, 401, 403, 409, 410, 413, 415, 429)},
    )
    def post(self, request: Request, token: str) -> Response:
        """Answer a challenge, once."""
        challenge = challenges.find(token, visitors.known(request))
        answer = valid(AnswerIn(data=request.data))
        outcome = challenges.answer(challenge=challenge, shown_from=challenge.created_at, **answer)
        counters.count("challenges", kind=challenge.kind, outcome=_JUDGED[outcome.passed])
        return Response(
            {
                "recorded": outcome.recorded,
                "settled": outcome.settled,
                "disputed": outcome.disputed,
                "message": message(outcome),
                "progress": _progress(challenge.annotator),
                "result_in": results.READY_IN,
            }
        )


class SkipChallenge(ForVisitors):
    throttle_classes = [throttles.Answers]

    @extend_schema(
        operation_id="challenges_skip",
        auth=POST_AUTH,
        request=SkipIn,
        responses={200: SkippedOut, **errors(400, 401, 403, 409, 410, 413, 415, 429)},
    )
    def post(self, request: Request, token: str) -> Response:
        """Skip a challenge, for a reason or none: its questions go to others."""
        challenge = challenges.find(token, visitors.known(request))
        challenges.skip(
            challenge=challenge,
            address=client_address(request._request),
            **valid(SkipIn(data=request.data)),
        )
        counters.count("challenges", kind=challenge.kind, outcome="skipped")
        return Response({"progress": _progress(challenge.annotator)})


class ChallengeResult(ForVisitors):
    @extend_schema(
        operation_id="challenges_result",
        responses={200: ResultOut, **errors(401, 403, 409, 410, 429)},
    )
    def get(self, request: Request, token: str) -> Response:
        """Say what came of an answer, once it cannot be undone any more.

        Before that it answers 409 with `ready_in`, the seconds until then.
        """
        challenge = challenges.find(token, visitors.known(request))
        tile_results = results.of_challenge(challenge)
        return private(
            {
                "tiles": [_tile_result(each) for each in tile_results],
                "message": results.in_words(tile_results),
                "generated": challenges.shows_generated(challenge),
            }
        )


class UndoChallenge(ForVisitors):
    throttle_classes = [throttles.Answers]

    @extend_schema(
        operation_id="challenges_undo",
        auth=POST_AUTH,
        request=None,
        responses={200: UndoneOut, **errors(401, 403, 409, 410, 429)},
    )
    def post(self, request: Request, token: str) -> Response:
        """Take back the answer or skip of the last challenge, which is open again."""
        challenge = challenges.find(token, visitors.known(request))
        reopened = withdrawals.undo(challenge=challenge, address=client_address(request._request))
        return Response(
            {"expires_in": _expires_in(reopened), "progress": _progress(reopened.annotator)}
        )


def message(outcome: Outcome) -> str:
    """Say in a sentence or two what the answers changed."""
    sentences = []
    if outcome.settled:
        sentences.append(
            ngettext(
                "%(count)s label became certain.",
                "%(count)s labels became certain.",
                outcome.settled,
            )
            % {"count": outcome.settled}
        )
    if outcome.disputed:
        sentences.append(
            ngettext(
                "%(count)s picture turned out to be hard.",
                "%(count)s pictures turned out to be hard.",
                outcome.disputed,
            )
            % {"count": outcome.disputed}
        )
    if not sentences:
        recorded = ngettext(
            "%(count)s answer recorded.", "%(count)s answers recorded.", outcome.recorded
        )
        sentences.append(recorded % {"count": outcome.recorded})
    return " ".join(sentences)


def _tile_result(tile: results.TileResult) -> dict[str, object]:
    others = tile.result.others
    return {
        "number": tile.number,
        "selected": tile.selected,
        "others": others and {"yes": others.yes, "no": others.no},
        "model": tile.result.model,
        "state": tile.result.state,
    }


def _tiles(request: Request, token: str) -> list[list[Any] | None]:
    """Return a challenge's tiles, packed; they are cached for the other pictures of it."""
    caller = f"{request.user.pk} {request.COOKIES.get(settings.PSEUDONYM_COOKIE)} {token}"
    key = f"tiles:{hashlib.sha256(caller.encode(errors='replace')).hexdigest()}"
    packed: list[list[Any] | None] | None = cache.get(key)
    if packed is None:
        challenge = challenges.find(token, visitors.known(request))
        _check_shown(challenge, request)
        packed = tiles.pack(challenges.shown_tiles(challenge))
        cache.set(key, packed, TOKEN_SECONDS)
    return packed


def _check_shown(challenge: Challenge, request: Request) -> None:
    """Check that somebody may see their challenge's tiles now. Raises Expired, Private or Closed.

    Tiles of one that was answered are shown for as long as it can be undone; nobody is shown what a
    project that was made private meanwhile asks others.
    """
    end = challenge.expires_at
    if challenge.answered_at is not None:
        end = min(end, challenge.answered_at + timedelta(seconds=results.READY_IN))
    if end <= timezone.now():
        raise challenges.Expired(_("The challenge has expired: ask for a new one."))
    project = prepared.first(Project, "WHERE id = %s", [challenge.project_id])
    if project is not None and project.private:
        challenges.admit(project=project, user=request.user, annotator=challenge.annotator)


def _data(challenge: Challenge, request: Request) -> dict[str, object]:
    token = challenges.token(challenge)
    addresses = [
        reverse("challenge-tile", args=[token, number])
        for number in range(1, len(challenges.shown_tiles(challenge)) + 1)
    ]
    return describe(challenge, request, token=token, tile_addresses=addresses) | {
        "expires_in": _expires_in(challenge),
        "progress": _progress(challenge.annotator),
    }


def _expires_in(challenge: Challenge) -> int:
    """Return the seconds until a challenge expires."""
    left = challenge.expires_at - timezone.now() + timedelta(milliseconds=500)
    lifetime = challenges.lifetime(ahead=challenge.ahead)
    return max(0, int(min(left, lifetime).total_seconds()))


def describe(
    challenge: Challenge, request: Request, *, token: str, tile_addresses: Sequence[str]
) -> dict[str, object]:
    """Return what the screen shows of a challenge, whoever it is for."""
    wanted = languages.wanted(request._request)
    asked = wording.of_challenge(challenge, wanted)
    return {
        "token": token,
        "kind": challenge.kind,
        "columns": challenges.COLUMNS[challenge.kind],
        "before": asked.before,
        "subject": asked.subject,
        "after": asked.after,
        "asked_in": get_language(),
        "lang": asked.language,
        "dir": _direction(asked),
        **_guide(challenge, asked.guide),
        "tiles": [{"number": n, "url": url} for n, url in enumerate(tile_addresses, 1)],
        "sentences": [
            {"number": number, "text": text, "lang": asked.language, "dir": "auto"}
            for number, text in enumerate(asked.options, 1)
        ],
        "attribution": challenge.project.attribution,
    }


def _direction(asked: wording.Wording) -> str:
    """Return in which direction the subject is written: a caption tells by its first letter."""
    return languages.direction(asked.language) if asked.guide else "auto"


def _guide(challenge: Challenge, summary: guides.Summary | None) -> dict[str, object]:
    """Say where the concept of a challenge is explained, and which version of that is current."""
    if summary is None:
        return {"concept": None, "guide": "", "guide_version": ""}
    address = reverse("api-concept-guide", args=[summary.slug, challenge.concept_id])
    return {
        "concept": challenge.concept_id,
        "guide": address,
        "guide_version": summary.version,
    }


def _progress(annotator: Annotator) -> dict[str, int]:
    answers, labels = annotators.progress(annotator)
    return {"answers": answers, "labels": labels}

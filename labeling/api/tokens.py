"""One's own tokens over HTTP: list, make and revoke them."""

from typing import ClassVar, cast

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import tokens
from labeling.api import views
from labeling.api.bodies import Body
from labeling.api.fields import Number
from labeling.api.idempotency import idempotent
from labeling.api.pagination import NewestFirst
from labeling.api.queries import Flag, Query
from labeling.api.requests import valid
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Scope, Token


class TokenOut(serializers.ModelSerializer[Token]):
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))

    class Meta:
        model = Token
        fields = [
            "id",
            "name",
            "start",
            "scopes",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]
        read_only_fields = fields


class NewTokenOut(TokenOut):
    secret = serializers.CharField(help_text="What programs send; it is shown this once.")

    class Meta(TokenOut.Meta):
        fields = [*TokenOut.Meta.fields, "secret"]
        read_only_fields = fields


class NewTokenIn(Body):
    name = serializers.CharField(max_length=tokens.NAME_LENGTH, help_text="What it is for.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), min_length=1, max_length=len(Scope)
    )
    days = Number(
        min_value=1,
        max_value=tokens.DAYS_MAX,
        required=False,
        allow_null=True,
        default=tokens.DAYS,
        help_text="For which it is valid; null: until it is revoked.",
    )


class TokenFilters(Query):
    valid = Flag(required=False, help_text="Whether they are neither revoked nor expired.")


@extend_schema_view(
    get=extend_schema(
        operation_id="tokens_list", responses={200: TokenOut(many=True), **errors(401, 403, 404)}
    )
)
class TokenList(views.ListAPIView[Token]):
    """Your tokens, the newest first; without their secrets, which are not kept."""

    permission_classes = [IsAuthenticated]
    serializer_class = TokenOut
    pagination_class = NewestFirst
    scopes: ClassVar = {"POST": Scope.OWN}
    queries: ClassVar = {"GET": TokenFilters}

    def get_queryset(self) -> QuerySet[Token]:
        own, wanted = Token.objects.filter(user=self.request.user.pk), self.chosen().get("valid")
        is_valid = Q(pk__in=tokens.valid().values("pk"))
        return own if wanted is None else own.filter(is_valid if wanted else ~is_valid)

    @extend_schema(
        operation_id="tokens_create",
        request=NewTokenIn,
        responses={201: NewTokenOut, **errors(400, 401, 403)},
    )
    @idempotent(secret="secret")
    def post(self, request: Request) -> Response:
        """Make a token. Asked for by a token, it has no more scopes, and ends no later."""
        options = valid(NewTokenIn(data=request.data))
        until = None
        if isinstance(request.auth, Token):
            if set(options["scopes"]) - set(request.auth.scopes):
                raise PermissionDenied("A token gives no other one scopes that it does not have.")
            until = request.auth.expires_at
        token, secret = tokens.make(user=cast(User, request.user), until=until, **options)
        token.secret = secret  # type: ignore[attr-defined]
        return Response(NewTokenOut(token).data, status=status.HTTP_201_CREATED)


class TokenDetail(APIView):
    permission_classes = [IsAuthenticated]
    scopes: ClassVar = {"DELETE": Scope.OWN}

    @extend_schema(operation_id="tokens_revoke", responses={204: None, **errors(401, 403, 404)})
    def delete(self, request: Request, pk: int) -> Response:
        """Let a token be used no longer. Sent again, it changes nothing."""
        tokens.revoke(get_object_or_404(Token, pk=pk, user=request.user.pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

"""Members and invitations over HTTP: who belongs to a project, and how they come and go."""

from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from labeling import members
from labeling.access import Capability
from labeling.api import views
from labeling.api.bodies import Body
from labeling.api.idempotency import idempotent
from labeling.api.pagination import ById, NewestFirst
from labeling.api.permissions import may
from labeling.api.queries import OneOf, Query
from labeling.api.schema import errors
from labeling.api.views import APIView
from labeling.models import Invitation, Membership, Project, Role

MAY_CHANGE = may(Capability.VIEW, Capability.MANAGE, models=(Membership,))
MAY_LEAVE = may(None, Capability.VIEW, models=(Membership,))
MAY_INVITE = may(Capability.MANAGE, Capability.MANAGE, models=(Invitation,))


class MemberOut(serializers.ModelSerializer[Membership]):
    user = serializers.CharField(
        source="user.username", default=None, help_text="null: a visitor without an account."
    )

    class Meta:
        model = Membership
        fields = ["id", "user", "role", "created_at"]
        read_only_fields = fields


class RoleIn(Body):
    role = serializers.ChoiceField(choices=Role.choices)


class InvitationOut(serializers.ModelSerializer[Invitation]):
    created_by = serializers.CharField(source="created_by.username", default=None)
    status = serializers.ChoiceField(choices=Invitation.Status.choices, read_only=True)

    class Meta:
        model = Invitation
        fields = [
            "id",
            "role",
            "status",
            "for_username",
            "uses",
            "uses_max",
            "created_by",
            "created_at",
            "expires_at",
        ]
        read_only_fields = fields


class NewInvitationOut(InvitationOut):
    token = serializers.CharField(help_text="The end of its link; it is shown this once.")

    class Meta(InvitationOut.Meta):
        fields = [*InvitationOut.Meta.fields, "token"]
        read_only_fields = fields


class InvitationIn(RoleIn):
    for_username = serializers.CharField(
        max_length=150, required=False, allow_blank=True, help_text="The only one; empty: anybody."
    )
    uses_max = serializers.IntegerField(
        min_value=1,
        max_value=members.USES_MAX,
        required=False,
        allow_null=True,
        help_text="How many may accept it, 1 by default; null, for annotators: any number.",
    )
    days = serializers.IntegerField(min_value=1, max_value=members.DAYS_MAX, required=False)


class TokenIn(Body):
    token = serializers.CharField(max_length=200)


class JoinedOut(MemberOut):
    project = serializers.SlugRelatedField[Any]("slug", read_only=True)

    class Meta(MemberOut.Meta):
        fields = [*MemberOut.Meta.fields, "project"]
        read_only_fields = fields


class RoleFilter(Query):
    role = OneOf(choices=Role.choices, required=False)


@extend_schema_view(
    get=extend_schema(
        operation_id="members_list", responses={200: MemberOut(many=True), **errors(401, 403, 404)}
    )
)
class MemberList(views.ListAPIView[Membership]):
    """Who belongs to a project, in which role."""

    permission_classes = [MAY_CHANGE]
    serializer_class = MemberOut
    pagination_class = ById
    queries: ClassVar = {"GET": RoleFilter}

    def get_queryset(self) -> QuerySet[Membership]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        return project.memberships.filter(**self.chosen()).select_related("user")


class MemberDetail(APIView):
    permission_classes = [MAY_CHANGE]

    @extend_schema(
        operation_id="members_change",
        request=RoleIn,
        responses={200: MemberOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Give a member another role; the last owner stays."""
        role = RoleIn(data=request.data)
        role.is_valid(raise_exception=True)
        membership = members.change_role(
            membership=self._membership(pk), by=cast(User, request.user), **role.validated_data
        )
        return Response(MemberOut(membership).data)

    @extend_schema(
        operation_id="members_remove", responses={204: None, **errors(401, 403, 404, 409)}
    )
    def delete(self, request: Request, pk: int) -> Response:
        """End a membership; the last owner stays, and so do answers."""
        members.remove(membership=self._membership(pk), by=cast(User, request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _membership(self, pk: int) -> Membership:
        return get_object_or_404(Membership.objects.select_related("project"), pk=pk)


class LeaveProject(APIView):
    permission_classes = [MAY_LEAVE]

    @extend_schema(
        operation_id="members_leave",
        request=None,
        responses={204: None, **errors(401, 403, 404, 409)},
    )
    def post(self, request: Request, slug: str) -> Response:
        """End your own membership; the last owner stays, and so do answers."""
        project = get_object_or_404(Project, slug=slug)
        members.leave(project=project, user=cast(User, request.user))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(
    get=extend_schema(
        operation_id="invitations_list",
        responses={200: InvitationOut(many=True), **errors(401, 403, 404)},
    )
)
class InvitationList(views.ListAPIView[Invitation]):
    """A project's invitations, the newest first, without their tokens."""

    permission_classes = [MAY_INVITE]
    serializer_class = InvitationOut
    pagination_class = NewestFirst
    queries: ClassVar = {"GET": RoleFilter}

    def get_queryset(self) -> QuerySet[Invitation]:
        project = get_object_or_404(Project, slug=self.kwargs["slug"])
        return project.invitations.filter(**self.chosen()).select_related("created_by")

    @extend_schema(
        operation_id="invitations_create",
        request=InvitationIn,
        responses={201: NewInvitationOut, **errors(400, 401, 403, 404, 409, 413, 415)},
    )
    @idempotent(secret="token")
    def post(self, request: Request, slug: str) -> Response:
        """Invite somebody: the link is /invitations/ and the token, which is shown this once."""
        project = get_object_or_404(Project, slug=slug)
        options = InvitationIn(data=request.data)
        options.is_valid(raise_exception=True)
        invitation, token = members.invite(
            project=project, by=cast(User, request.user), **options.validated_data
        )
        invitation.token = token  # type: ignore[attr-defined]
        return Response(NewInvitationOut(invitation).data, status=status.HTTP_201_CREATED)


class InvitationDetail(APIView):
    permission_classes = [MAY_INVITE]

    @extend_schema(
        operation_id="invitations_revoke", responses={204: None, **errors(401, 403, 404, 409)}
    )
    def delete(self, request: Request, pk: int) -> Response:
        """Withdraw an invitation; whoever joined by it stays."""
        invitations = Invitation.objects.select_related("project")
        members.revoke(
            invitation=get_object_or_404(invitations, pk=pk), by=cast(User, request.user)
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


class AcceptInvitation(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="invitations_accept",
        request=TokenIn,
        responses={200: JoinedOut, **errors(400, 401, 403, 409, 413, 415)},
    )
    @idempotent
    def post(self, request: Request) -> Response:
        """Join a project by the token of an invitation."""
        body = TokenIn(data=request.data)
        body.is_valid(raise_exception=True)
        membership = members.accept(user=cast(User, request.user), **body.validated_data)
        return Response(JoinedOut(membership).data)

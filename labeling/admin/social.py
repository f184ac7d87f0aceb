"""What django-allauth shows in the admin: identities alone, to look at and to unlink."""

import allauth.account.admin
import allauth.socialaccount.admin  # noqa: F401 - registers, before it is taken back here
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.http import HttpRequest

from labeling.admin.base import ModelAdmin

for _model in (EmailAddress, SocialAccount, SocialApp, SocialToken):
    admin.site.unregister(_model)


@admin.register(SocialAccount)
class IdentityAdmin(ModelAdmin[SocialAccount]):
    list_display = "user", "provider", "uid", "last_login"
    search_fields = "user__username", "uid"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let nobody give an account an identity by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Let nobody change one."""
        return False

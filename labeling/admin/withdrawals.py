"""What was withdrawn, in the admin: how much, never what."""

from django.contrib import admin

from labeling.admin.answers import OfAnnotatorAdmin
from labeling.models import Withdrawal


@admin.register(Withdrawal)
class WithdrawalAdmin(OfAnnotatorAdmin[Withdrawal]):
    list_display = ["created_at", "project", "annotator", "reason", "answers", "captions", "others"]
    list_filter = ["project", "reason"]
    list_select_related = ["project", "annotator__user"]
    ordering = ["-id"]

"""What was removed, in the admin: pictures, and the answers about them. Nothing can be changed."""

from django.contrib import admin

from labeling.admin.answers import OfAnnotatorAdmin
from labeling.admin.base import RecordAdmin, rounded
from labeling.models import RemovedAnswer, RemovedImage


@admin.register(RemovedImage)
class RemovedImageAdmin(RecordAdmin[RemovedImage]):
    list_display = ["created_at", "source", "project", "reason", "removed_by", "answers", "undone"]
    list_filter = ["project", "generated"]
    list_select_related = ["project", "removed_by", "undone"]
    search_fields = ["source"]
    search_help_text = "A part of the path that it was imported from."
    ordering = ["-id"]
    sortable_by = ()


@admin.register(RemovedAnswer)
class RemovedAnswerAdmin(OfAnnotatorAdmin[RemovedAnswer]):
    list_display = [
        *("answered_at", "annotator_name", "text", "value", "image_source"),
        *(rounded("seconds"), "created_at"),
    ]
    list_filter = ["project", "value"]
    ordering = ["-id"]

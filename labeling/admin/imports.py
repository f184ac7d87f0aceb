"""Imports in the admin: what came in, when, and what became of it."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling.admin.base import RecordAdmin
from labeling.models import Import


@admin.register(Import)
class ImportAdmin(RecordAdmin[Import]):
    list_display = ["name", "project", "state", "pictures", "outcome", "requested_by", "created_at"]
    list_filter = ["state", "project"]
    list_select_related = ["project", "requested_by"]
    search_fields = ["name"]
    ordering = ["-id"]
    sortable_by = ()
    readonly_fields = ["page"]

    def get_fields(self, request: HttpRequest, obj: Import | None = None) -> Any:
        """Leave out the lists of concepts, which the import's own page shows."""
        left_out = {"candidates", "concepts"}
        return [name for name in super().get_fields(request, obj) if name not in left_out]

    @admin.display(description="taken, known, refused")
    def outcome(self, record: Import) -> str:
        counts = record.counts
        if "taken" not in counts:
            return "–"
        return f"{counts['taken']:,}, {counts['known']:,}, {counts['refused']:,}"

    @admin.display(description="page")
    def page(self, record: Import) -> SafeString:
        address = reverse("project-import", args=[record.project.slug, record.pk])
        return format_html('<a href="{}">Progress and report</a>', address)

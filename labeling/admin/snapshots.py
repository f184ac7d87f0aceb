"""Snapshots in the admin: freeze one, and see what it holds."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from labeling import tasks
from labeling.admin.base import ModelAdmin
from labeling.models import Snapshot


@admin.register(Snapshot)
class SnapshotAdmin(ModelAdmin[Snapshot]):
    list_display = [
        "__str__",
        "project",
        "status",
        "pictures",
        "captions",
        "removed",
        "created",
        "export",
    ]
    list_filter = ["state", "project"]
    list_select_related = ["project"]
    search_fields = ["sha256"]
    ordering = ["-id"]
    add_fields = ["project", "include_generated"]
    readonly_fields = [
        "project",
        "status",
        "heartbeat_at",
        "error",
        "include_generated",
        "sha256",
        "folder",
        "pictures",
        "captions",
        "answers",
        "removed_since",
        "requested_by",
        "created_at",
        "export",
    ]

    def get_fields(self, request: HttpRequest, obj: Snapshot | None = None) -> Any:
        return self.readonly_fields if obj else self.add_fields

    def get_readonly_fields(self, request: HttpRequest, obj: Snapshot | None = None) -> list[str]:
        return self.readonly_fields if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Snapshot | None = None) -> bool:
        return False  # models say what they were trained on

    def save_model(self, request: HttpRequest, obj: Snapshot, form: Any, change: bool) -> None:
        if change:
            return
        obj.requested_by_id = request.user.pk
        obj.save()
        tasks.freeze_later(obj)

    @admin.display(description="created", ordering="created_at")
    def created(self, snapshot: Snapshot) -> str:
        return f"{localtime(snapshot.created_at):%Y-%m-%d %H:%M}"

    @admin.display(description="train + test")
    def pictures(self, snapshot: Snapshot) -> str:
        counts = snapshot.counts
        if not counts:
            return "–"
        return f"{counts['train']:,} + {counts['test']:,}"

    @admin.display(description="captions")
    def captions(self, snapshot: Snapshot) -> str:
        return _count(snapshot, "captions")

    @admin.display(description="answers")
    def answers(self, snapshot: Snapshot) -> str:
        return _count(snapshot, "answers")

    @admin.display(description="removed since")
    def removed_since(self, snapshot: Snapshot) -> str:
        return snapshot.warning or "nothing"

    @admin.display(description="export")
    def export(self, snapshot: Snapshot) -> SafeString | str:
        if snapshot.state != Snapshot.State.READY:
            return "–"
        page = reverse("project-exports", args=[snapshot.project.slug])
        return format_html('<a href="{}?snapshot={}">export</a>', page, snapshot.pk)


def _count(snapshot: Snapshot, name: str) -> str:
    return f"{snapshot.counts[name]:,}" if name in snapshot.counts else "–"

"""Snapshots in the admin: freeze one, see what it holds, download it in any format."""

import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from labeling import exports, tasks
from labeling.admin.base import ModelAdmin
from labeling.models import Snapshot
from labeling.snapshot_folder import SnapshotError


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
        "download",
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
        "download",
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

    @admin.display(description="download")
    def download(self, snapshot: Snapshot) -> SafeString | str:
        if snapshot.state != Snapshot.State.READY:
            return "–"
        links = (
            (reverse("admin:labeling_snapshot_export", args=[snapshot.pk, name]), name)
            for name in sorted(exports.FORMATS)
        )
        return format_html_join(" · ", '<a href="{}" download>{}</a>', links)

    def get_urls(self) -> list[URLPattern]:
        export = path(
            "<int:pk>/export/<slug:format>/",
            self.admin_site.admin_view(self.export),
            name="labeling_snapshot_export",
        )
        return [export, *super().get_urls()]

    def export(self, request: HttpRequest, pk: int, format: str) -> HttpResponseBase:
        """Stream the snapshot as a zip, after its files were checked."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        snapshot = Snapshot.objects.filter(pk=pk, state=Snapshot.State.READY).first()
        if snapshot is None or format not in exports.FORMATS:
            raise Http404
        holder = tempfile.TemporaryDirectory(prefix="tessera-export-")
        out = Path(holder.name) / f"{snapshot.project.slug}-{snapshot.pk}-{format}"
        try:
            exports.export_snapshot(
                snapshot=snapshot, format=format, out=out, by=cast(User, request.user)
            )
        except (exports.ExportError, SnapshotError, OSError) as error:
            holder.cleanup()
            messages.error(request, format_html("Not exported: {}", str(error)))
            return redirect("admin:labeling_snapshot_change", pk)
        response = StreamingHttpResponse(_zip(out, holder), content_type="application/zip")
        response["Content-Disposition"] = f'attachment; filename="{out.name}.zip"'
        return response


def _count(snapshot: Snapshot, name: str) -> str:
    return f"{snapshot.counts[name]:,}" if name in snapshot.counts else "–"


class _Pipe:
    """A buffer that `zipfile` writes to and the response reads from."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data


def _zip(folder: Path, holder: "tempfile.TemporaryDirectory[str]") -> Iterator[bytes]:
    """Yield the folder as a zip, a file at a time, without compression: pictures have theirs."""
    with holder:
        pipe = _Pipe()
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
            for file in sorted(p for p in folder.rglob("*") if p.is_file()):
                archive.write(file, Path(folder.name) / file.relative_to(folder))
                yield pipe.take()
        yield pipe.take()

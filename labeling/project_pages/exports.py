"""The page on which a member exports a snapshot, and finds what was exported."""

from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling import exports, tasks
from labeling.access import Capability
from labeling.exports import jobs
from labeling.exports.options import GENERAL, Described, described
from labeling.models import Export, Project, Snapshot
from labeling.numbers import parse_id
from labeling.project_pages import base, history
from labeling.stored_folders import StorageAway

SECTION = base.register(base.Section("project-exports", "Export", 55, Capability.TRAIN))
PAGE = 20  # exports
SNAPSHOTS = 50  # of the newest that may be chosen
TITLES = {
    "confidence": "Least confidence",
    "labels": "Labels",
    "captions": "Captions",
    "caption_source": "Written by",
    "pictures": "Pictures",
    "split": "Split",
    "size": "Longest side",
    "image_format": "Encoded as",
    "concepts": "Concepts",
    "vendor": "Vendor",
    "batch": "Batch",
    "imported_by": "Import no.",
    "license": "Licence",
    "repeats": "Repeats",
    "without_text": "Without a text",
    "sidecar": "Beside a picture",
    "copy_pictures": "Copy the pictures",
    "overwrite": "Overwrite",
    "shard": "Pictures of a shard",
}
_NOT_HERE = "overwrite"  # nobody's folder is in use here


@require_http_methods(["GET", "HEAD", "POST"])
@base.page(Capability.TRAIN)
def exports_page(request: HttpRequest, project: Project) -> HttpResponse:
    """Show what was exported, and a form; begin an export."""
    if request.method == "POST":
        try:
            export = _begin(request, project)
        except exports.ExportError as error:
            return _render(request, project, request.POST, error=str(error))
        messages.success(request, f"A worker makes the {export}.")
        same = urlencode({"format": export.format, "snapshot": str(export.snapshot_id)})
        return redirect(f"{reverse('project-exports', args=[project.slug])}?{same}")
    return _render(request, project, request.GET)


@require_GET
@base.page(Capability.TRAIN)
def download(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """Send an export as a zip, or with ?kind=tar as a tar."""
    export = get_object_or_404(project.exports.select_related("project"), pk=pk)
    try:
        return download_response(export, request.GET.get("kind", "zip"))
    except (exports.ExportError, StorageAway) as error:
        messages.error(request, str(error))
        return redirect("project-exports", project.slug)


@require_POST
@base.page(Capability.TRAIN)
def delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Delete an export and its files."""
    export = get_object_or_404(project.exports.select_related("project"), pk=pk)
    try:
        jobs.delete(export=export, by=cast(User, request.user))
    except exports.ExportError as error:
        messages.error(request, str(error))
    return redirect("project-exports", project.slug)


def download_response(export: Export, kind: str) -> StreamingHttpResponse:
    """Return a response that streams an export.

    Raises Http404 where it is not ready, ExportError where its files have gone, and StorageAway.
    """
    if not export.is_downloadable or kind not in ("zip", "tar"):
        raise Http404("There is no such file yet.")
    types = {"zip": "application/zip", "tar": "application/x-tar"}
    response = StreamingHttpResponse(jobs.archive(export, kind), content_type=types[kind])
    response["Content-Disposition"] = f'attachment; filename="{export.file_name}.{kind}"'
    return response


def _begin(request: HttpRequest, project: Project) -> Export:
    """Begin what a form asks for. Raises ExportError."""
    number = parse_id(request.POST.get("snapshot", ""))
    snapshot = project.snapshots.filter(pk=number).select_related("project").first()
    if snapshot is None:
        raise exports.ExportError("Choose a snapshot.")
    format = exports.format_of(request.POST.get("format", ""))
    values = {
        option.name: request.POST.get(option.name, "")
        for option in _options(format.options)
        if option.kind == "flag" or request.POST.get(option.name, "") != ""
    }
    export = jobs.begin(
        snapshot=snapshot,
        format=format.name,
        values=values,
        address=request.POST.get("address", "").strip(),
        requested_by=cast(User, request.user),
    )
    tasks.export_later(export)
    return export


def _render(
    request: HttpRequest, project: Project, chosen: Mapping[str, Any], error: str = ""
) -> HttpResponse:
    """Render the page; what was chosen is kept."""
    format = exports.FORMATS.get(str(chosen.get("format", "")), exports.FORMATS["imagefolder"])
    snapshots = project.snapshots.filter(state=Snapshot.State.READY)[:SNAPSHOTS]
    listed = project.exports.select_related("snapshot", "requested_by", "project")
    page = Paginator(listed, PAGE).get_page(request.GET.get("page"))
    options = [_field(option, chosen) for option in _options(format.options)]
    context = {
        "formats": exports.FORMATS.values(),
        "format": format,
        "snapshots": snapshots,
        "snapshot": parse_id(str(chosen.get("snapshot", ""))),
        "own": [each for each in options if each["name"] not in GENERAL],
        "general": [each for each in options if each["name"] in GENERAL],
        "changed": any(each["value"] != each["default"] for each in options),
        "error": error,
        "address": chosen.get("address", ""),
        "buckets": [place.split()[0] for place in settings.EXPORT_BUCKETS],
        "page": page,
        "exports": [
            (export, exports.format_of(export.format).title, exports.in_words(export.counts))
            for export in page
        ],
        "working": any(export.state == Export.State.WRITING for export in page),
    }
    status = 409 if error else 200
    template = "project/exports.html"
    return base.render(request, project, template, context, section=SECTION, status=status)


def _options(names: tuple[str, ...]) -> list[Described]:
    return [option for option in described(names) if option.name != _NOT_HERE]


def _field(option: Described, chosen: Mapping[str, Any]) -> dict[str, Any]:
    default = ", ".join(option.default) if option.kind == "names" else option.default
    value = chosen.get(option.name, default)
    if option.kind == "flag":
        value = str(value).lower() in ("true", "on", "1")
    return {
        "name": option.name,
        "title": TITLES[option.name],
        "help": option.help,
        "kind": option.kind,
        "choices": [(each, each.replace("_", " ")) for each in option.choices],
        "value": value,
        "default": default,
    }


history.register(history.ObjectPage(Export, "project-exports", takes_id=False))

urlpatterns = [
    path("exports/", exports_page, name="project-exports"),
    path("exports/<int:pk>/download/", download, name="project-export-download"),
    path("exports/<int:pk>/delete/", delete, name="project-export-delete"),
]

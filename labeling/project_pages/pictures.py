"""The pictures of a project: bring more in, follow their imports, look through those there are."""

from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_POST

from labeling import provenance, tasks
from labeling.access import Capability
from labeling.images import browsing, visible
from labeling.imports import bucket_files, staging, uploads
from labeling.imports.options import DEFAULTS
from labeling.imports.uploads import Announced, Part, UploadError
from labeling.models import Import, Project
from labeling.models.imports import ADDRESS_LENGTH
from labeling.project_pages import base
from labeling.stored_folders import StorageAway

SECTION = base.register(base.Section("project-pictures", "Pictures", 10))
PAGE = 60  # pictures
IMPORTS_SHOWN = 5


class Filters(forms.Form):
    """Which pictures are shown, by the address; what makes no sense is ignored."""

    q = forms.CharField(required=False, max_length=200)
    record = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    vendor = forms.CharField(required=False, max_length=200)
    batch = forms.CharField(required=False, max_length=200)
    license = forms.CharField(required=False, max_length=200)
    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    imports = forms.CharField(required=False, max_length=3)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.is_valid()


@require_GET
@base.page(Capability.VIEW)
def pictures(request: HttpRequest, project: Project) -> HttpResponse:
    """Show where to drop pictures, the imports, and the pictures a page at a time."""
    filters = Filters(request.GET).cleaned_data
    records = project.imports.select_related("requested_by")
    shown = None if filters.get("imports") == "all" else IMPORTS_SHOWN
    rows = list(records[: 200 if shown is None else shown + 1])
    context = {
        "imports": rows[:shown],
        "more_imports": shown is not None and len(rows) > shown,
        "total": project.images.filter(visible()).count(),
        "limit_mb": settings.UPLOAD_MAX_BYTES // 2**20,
        "form_mb": settings.IMAGE_MAX_BYTES // 2**20,
        "buckets": [place.split()[0] for place in settings.IMPORT_BUCKETS],
        **_wall(project, filters),
    }
    return base.render(request, project, "project/pictures.html", context, section=SECTION)


def _wall(project: Project, filters: dict[str, Any]) -> dict[str, Any]:
    """Return a page of the pictures, and the key of the next one."""
    words, before = filters.get("q") or "", filters.get("before")
    number = filters.get("record")
    record = project.imports.filter(pk=number).first() if number else None
    origin = {name: filters.get(name) or "" for name in ("vendor", "batch", "license")}
    images = browsing.search(project, words=words, record=record, **origin)
    if before:
        images = images.filter(pk__lt=before)
    page = list(images[: PAGE + 1])
    chosen = {"q": words, "record": record.pk if record else "", **origin}
    return {
        "words": words,
        "record": record,
        **origin,
        "offered": provenance.choices(project),
        "query": urlencode({name: value for name, value in chosen.items() if value}),
        "images": page[:PAGE],
        "before": page[PAGE - 1].pk if len(page) > PAGE else None,
        "first_page": before is None,
    }


@require_POST
@base.page(Capability.MANAGE)
def upload(request: HttpRequest, project: Project) -> HttpResponse:
    """Take files from a plain form, as one upload; what is larger comes in parts by the script."""
    files = request.FILES.getlist("files")
    if not files:
        messages.error(request, "Choose an archive or pictures first.")
        return redirect("project-pictures", project.slug)
    try:
        record = _take(project, cast(User, request.user), files)
    except (UploadError, staging.DiskFull, StorageAway) as error:
        messages.error(request, str(error))
        return redirect("project-pictures", project.slug)
    return redirect("project-import", project.slug, record.pk)


@require_POST
@base.page(Capability.MANAGE)
def from_bucket(request: HttpRequest, project: Project) -> HttpResponse:
    """Have a worker import what lies in a bucket."""
    address = request.POST.get("address", "").strip()
    try:
        record = bucket_files.begin(
            project=project, by=cast(User, request.user), address=address, options=DEFAULTS
        )
    except UploadError as error:
        messages.error(request, str(error))
        url = reverse("project-pictures", args=[project.slug])
        return redirect(f"{url}?{urlencode({'address': address[:ADDRESS_LENGTH]})}#bucket")
    tasks.advance_later(record)
    return redirect("project-import", project.slug, record.pk)


def _take(project: Project, by: User, files: "list[UploadedFile[bytes]]") -> Import:
    name = files[0].name or "upload"
    record, _ = uploads.begin(project=project, by=by, name=name)
    announced = [Announced(file.name or "", file.size or 0) for file in files]
    rows = uploads.announce(record=record, files=announced)
    parts = [
        Part(row.number, 0, file)
        for row, file in zip(rows, files, strict=True)
        if row and not row.problem
    ]
    uploads.receive(record=record, parts=parts)
    record = uploads.complete(record=record, by=by)
    tasks.advance_later(record)
    return record


urlpatterns = [
    path("pictures/", pictures, name="project-pictures"),
    path("pictures/upload/", upload, name="project-upload"),
    path("pictures/bucket/", from_bucket, name="project-bucket"),
]

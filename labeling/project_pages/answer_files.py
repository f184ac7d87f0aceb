"""Files of answers and of gold on a project's pages: send one, choose how it is read."""

from dataclasses import fields
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_POST

from labeling import tasks
from labeling.access import Capability
from labeling.imports import staging
from labeling.imports.answers import jobs
from labeling.imports.answers.entries import AnswersError
from labeling.imports.answers.options import ROLES, Options
from labeling.imports.answers.report import in_words
from labeling.models import Import, Project
from labeling.project_pages import base
from labeling.stored_folders import StorageAway

_KINDS = {str(kind): kind for kind in (Import.Kind.ANSWERS, Import.Kind.GOLD)}
_OF_KIND = {
    Import.Kind.ANSWERS: ("task", "worker", "label", "concept"),
    Import.Kind.GOLD: ("task", "concept", "truth"),
}


@require_POST
@base.page(Capability.MANAGE)
def send(request: HttpRequest, project: Project) -> HttpResponse:
    """Take a file; how it is read is shown before anything is stored."""
    file, kind = request.FILES.get("file"), _KINDS.get(request.POST.get("kind", ""))
    if file is None or kind is None:
        messages.error(request, "Choose a file of answers or of gold first.")
        return redirect("project-pictures", project.slug)
    try:
        record = jobs.begin(
            project=project,
            by=cast(User, request.user),
            kind=kind,
            file=file,
            options=Options(),
            start_at_once=False,
        )
    except (AnswersError, staging.DiskFull, StorageAway) as error:
        messages.error(request, str(error))
        return redirect("project-pictures", project.slug)
    tasks.advance_later(record)
    return redirect("project-import", project.slug, record.pk)


@require_POST
@base.page(Capability.MANAGE)
def choose(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Import a file read as was chosen."""
    record = get_object_or_404(project.imports.select_related("project"), pk=pk)
    names = {field.name for field in fields(Options)} - {"strict"}
    try:
        options = Options.of(
            {
                **{name: request.POST.get(name, "") for name in names},
                "strict": "strict" in request.POST,
            }
        )
        record = jobs.confirm(record=record, options=options, by=cast(User, request.user))
        tasks.advance_later(record)
    except AnswersError as error:
        messages.error(request, str(error))
    return redirect("project-import", project.slug, pk)


def context(record: Import) -> dict[str, Any]:
    """Return what the page of an import of answers or gold shows besides."""
    if record.kind == Import.Kind.PICTURES:
        return {}
    detected = record.reading or {}
    roles = _OF_KIND[Import.Kind(record.kind)]
    sample = [{**row, "of": row.get("reason", "")} for row in detected.get("sample", [])]
    return {
        "reading": detected.get("remark", ""),
        "columns": detected.get("columns", []),
        "sample": sample,
        "roles": [(role, record.options.get(role, "")) for role in ROLES if role in roles],
        "outcome": in_words(record.counts) if record.counts else "",
        "form_mb": settings.IMAGE_MAX_BYTES // 2**20,
    }


urlpatterns = [
    path("answers/file/", send, name="project-answers-send"),
    path("imports/<int:pk>/columns/", choose, name="project-import-columns"),
]

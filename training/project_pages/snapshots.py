"""The pages of a project's snapshots: all of them, one of them, what differs between two."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_POST

from labeling import label_accuracy, reissues, snapshot_difference, snapshots, tasks
from labeling.access import Capability
from labeling.models import Image, Project, Snapshot
from labeling.numbers import parse_id
from labeling.project_pages import base, history, picture
from labeling.project_pages.history import ObjectPage
from labeling.snapshot_difference import ABSENT, KINDS, Difference, Filters
from labeling.snapshot_folder import SPLITS, SnapshotError
from labeling.snapshot_rows import STEM_LENGTH
from labeling.stored_folders import StorageAway
from training import lineage

SECTION = base.register(base.Section("project-snapshots", "Snapshots", 45))
PAGE = 25
LOOKED_INTO = 20  # of the newest snapshots, for the page of a picture
CONCEPTS = 30  # of a snapshot, at most, whose labels are counted on its page
OTHERS = 50  # snapshots, at most, that are offered to be compared with
State = Snapshot.State

history.register(ObjectPage(Snapshot, "project-snapshot"))
picture.register(lambda image: {"lineage": lineage.of_picture(image, limit=LOOKED_INTO)})


@require_GET
@base.page(Capability.VIEW)
def listing(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the snapshots, the newest first."""
    rows = project.snapshots.select_related("requested_by", "successor")
    rows = rows.annotate(models=Count("runs__model")).order_by("-pk")
    context = {
        "snapshots": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "marked": reissues.consequences(project),
    }
    return base.render(request, project, "project/snapshots.html", context, section=SECTION)


@require_POST
@base.page(Capability.TRAIN)
def freeze(request: HttpRequest, project: Project) -> HttpResponse:
    """Begin a snapshot, which a worker writes."""
    snapshot = snapshots.begin(
        project=project,
        include_generated="include_generated" in request.POST,
        requested_by=cast(User, request.user),
    )
    tasks.freeze_later(snapshot)
    return redirect("project-snapshot", project.slug, snapshot.pk)


@require_POST
@base.page(Capability.TRAIN)
def reissue_all(request: HttpRequest, project: Project) -> HttpResponse:
    """Issue all marked snapshots again."""
    begun = reissues.reissue_all(project, by=cast(User, request.user))
    for snapshot in begun:
        tasks.freeze_later(snapshot)
    names = " and ".join(f"no. {snapshot.pk}" for snapshot in begun)
    messages.success(
        request,
        f"Issued again: {names}." if begun else "Nothing that they hold was removed since.",
    )
    return redirect("project-snapshots", project.slug)


@require_POST
@base.page(Capability.TRAIN)
def reissue(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Issue a marked snapshot again."""
    row = get_object_or_404(Snapshot, pk=pk, project=project)
    try:
        successor = reissues.reissue(row, by=cast(User, request.user))
    except reissues.ReissueError as error:
        messages.error(request, str(error))
        return redirect("project-snapshot", project.slug, row.pk)
    tasks.freeze_later(successor)
    return redirect("project-snapshot", project.slug, successor.pk)


@require_GET
@base.page(Capability.VIEW)
def snapshot(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show a snapshot: what it holds, what it was made from, its card, what came of it."""
    row = get_object_or_404(Snapshot.objects.select_related("successor"), pk=pk, project=project)
    context = _context(row)
    return base.render(request, project, "project/snapshot.html", context, section=SECTION)


@require_GET
@base.page(Capability.VIEW)
def difference(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show what became of another snapshot's pictures, by default the one before, in this one.

    Where there is none before it, show what became of this one's in the newest.
    """
    row = get_object_or_404(Snapshot, pk=pk, project=project, state=State.READY)
    others = _others(row)
    number = parse_id(request.GET.get("from", ""))
    before = project.snapshots.filter(pk=number, state=State.READY).first() if number else None
    before = before or others.filter(pk__lt=row.pk).first()
    if before is None and (newest := others.first()):  # none before it: what became of this one
        place = reverse("project-snapshot-difference", args=[project.slug, newest.pk])
        return redirect(f"{place}?from={row.pk}")
    context: dict[str, Any] = {
        "snapshot": row,
        "before": before,
        "others": list(others[:OTHERS]),
        "filters": _filters(request),
        "kinds": KINDS,
        "splits": SPLITS,
    }
    status = 200
    if before is not None:
        try:
            context |= _difference_context(request, before, row)
        except SnapshotError as error:
            context["error"], status = str(error), 409
        except StorageAway as error:
            context["error"], status = str(error), 503
    template = "project/snapshot_difference.html"
    return base.render(request, project, template, context, section=SECTION, status=status)


def _context(row: Snapshot) -> dict[str, Any]:
    ready = row.state == State.READY
    header, card, storage_away = {}, "", ""
    try:
        header, card = snapshots.header(row), snapshots.card(row)
    except StorageAway as error:
        storage_away = str(error)
    labels = _label_counts(header.get("labels", {}), header.get("concepts", []))
    return {
        "snapshot": row,
        "ready": ready,
        "header": header,
        "made": _with_times(row.made_from),
        "accuracy": label_accuracy.sentences(header["accuracy"]) if "accuracy" in header else [],
        "labels": labels[:CONCEPTS],
        "more_labels": max(0, len(labels) - CONCEPTS),
        "card": card,
        "storage_away": storage_away,
        "models": lineage.models_of([row]),
        "predecessors": list(row.predecessors.order_by("pk")),
        "is_marked": reissues.marked(row.project).filter(pk=row.pk).exists(),
        "others": list(_others(row)[:OTHERS]),
    }


def _with_times(made_from: dict[str, Any]) -> dict[str, Any]:
    """Return what a snapshot was made from, with times in place of ISO 8601."""
    return {
        name: {**each, "until": parse_datetime(each["until"])}
        if isinstance(each, dict) and each.get("until")
        else each
        for name, each in made_from.items()
    }


def _label_counts(
    labels: dict[str, dict[str, dict[str, int]]], concepts: Sequence[str]
) -> list[dict[str, Any]]:
    """Return each concept, in their order, with how many pictures have each label."""
    labelled = {name for of_split in labels.values() for name in of_split}
    names = [name for name in concepts if name in labelled]
    return [
        {
            "concept": name,
            **{
                label.replace(" ", "_"): sum(
                    of_split.get(name, {}).get(label, 0) for of_split in labels.values()
                )
                for label in ("yes", "in part", "no")
            },
        }
        for name in names
    ]


def _others(row: Snapshot) -> QuerySet[Snapshot]:
    """Return the other ready snapshots of a snapshot's project, the newest first."""
    ready = Snapshot.objects.filter(project=row.project_id, state=State.READY)
    return ready.exclude(pk=row.pk).order_by("-pk")


def _filters(request: HttpRequest) -> Filters:
    kind, split = request.GET.get("kind", ""), request.GET.get("split", "")
    return Filters(
        kind=kind if kind in KINDS else "",
        split=split if split in SPLITS else "",
        concept=request.GET.get("concept", "")[:80],
    )


def _difference_context(request: HttpRequest, before: Snapshot, row: Snapshot) -> dict[str, Any]:
    """Return what a page of the difference shows. Raises SnapshotError."""
    found = tasks.difference_of(before, row)
    if found is None:
        return {"waits": True}
    after = parse_id(request.GET.get("after", ""))
    try:
        page = found.page(after=after, filters=_filters(request))
    except snapshot_difference.UnknownPosition:
        page = found.page(filters=_filters(request))
    query = request.GET.copy()
    query.pop("after", None)
    return {
        "totals": found.totals,
        "label_changes": _changes_by_concept(found),
        "changes": _with_pictures(page.changes, row.project),
        "next": page.after,
        "is_first": not after,
        "query": query.urlencode(),
    }


def _changes_by_concept(found: Difference) -> list[dict[str, Any]]:
    """Return the totals of labels that changed, but for those that came or went with pictures."""
    rows = (each for each in found.totals["labels"] if ABSENT not in (each["from"], each["to"]))
    return sorted(rows, key=lambda each: (-each["pictures"], each["concept"], each["split"]))


def _with_pictures(changes: list[dict[str, Any]], project: Project) -> list[dict[str, Any]]:
    """Return changes with the picture that each is about, and its whole tile, where it is there."""
    stems = {change["file_name"][:STEM_LENGTH] for change in changes}
    if not stems:
        return []
    ranges = reduce(or_, (Q(sha256__gte=stem, sha256__lt=f"{stem}g") for stem in stems))
    images = Image.objects.filter(ranges, project=project).prefetch_related("tiles")
    by_stem = {image.sha256[:STEM_LENGTH]: image for image in images}
    return [
        {
            **change,
            "image": (image := by_stem.get(change["file_name"][:STEM_LENGTH])),
            "tile": next((t for t in image.tiles.all() if t.grid == 1), None) if image else None,
            "was_in": change["split"]["from"],
            "is_in": change["split"]["to"],
            "labels": [_for_template(label) for label in change["labels"]],
        }
        for change in changes
    ]


def _for_template(label: dict[str, Any]) -> dict[str, Any]:
    """Return a label that changed by names that templates can say."""
    return {
        "concept": label["concept"],
        "old": label["from"],
        "old_confidence": label["from_confidence"],
        "new": label["to"],
        "new_confidence": label["to_confidence"],
    }


urlpatterns = [
    path("snapshots/", listing, name="project-snapshots"),
    path("snapshots/freeze/", freeze, name="project-snapshots-freeze"),
    path("snapshots/reissue/", reissue_all, name="project-snapshots-reissue"),
    path("snapshots/<int:pk>/", snapshot, name="project-snapshot"),
    path("snapshots/<int:pk>/reissue/", reissue, name="project-snapshot-reissue"),
    path("snapshots/<int:pk>/difference/", difference, name="project-snapshot-difference"),
]

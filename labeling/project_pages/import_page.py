"""One import: how far it is, which concepts it may ask about, what became of its files."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.forms.models import model_to_dict
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from labeling import provenance, reissues, tasks
from labeling.access import Capability
from labeling.decoding.depth import BITS_RANGE
from labeling.imports import declarations, kinds, ledger, runner
from labeling.imports.options import Column, Masks, Texts
from labeling.imports.report import Outcome, of_text
from labeling.imports.undo import UNDOABLE, UndoError
from labeling.imports.uploads import UploadError
from labeling.models import Answer, Import, Project
from labeling.project_pages import answer_files, base, history, pictures
from labeling.spreadsheets import text_of

State = Import.State
NAMED = 20  # files that are named for one reason
_REMARKS = {str(each) for each in (Outcome.TAKEN, Outcome.REMARK)}

KINDS = (
    (Texts.AUTO, "As they look"),
    (Texts.CAPTIONS, "Captions"),
    (Texts.KEYWORDS, "Keywords"),
    (Texts.MIXED, "Each by itself"),
)

_ACTIONS = {"cancel": runner.cancel, "retry": runner.retry}


@dataclass
class Reason:
    """Why some files were refused, or texts of them left out; or what is to be said of some."""

    reason: str
    count: int = 0
    names: list[str] = field(default_factory=list)  # the first of their files and rows
    more: int = 0  # files and rows that are not named
    last: str = ""

    def add(self, name: str) -> None:
        """Count one, and name it if it is among the first; what follows itself is named once."""
        self.count += 1
        if name == self.last:
            return
        self.last = name
        if len(self.names) < NAMED:
            self.names.append(name)
        else:
            self.more += 1


class Declaration(forms.Form):
    """Where a whole import comes from."""

    vendor = forms.CharField(max_length=declarations.LIMITS["vendor"], label="Vendor, or author")
    batch = forms.CharField(max_length=declarations.LIMITS["batch"], label="Their name for it")
    license = forms.CharField(max_length=declarations.LIMITS["license"], label="Licence")
    url = forms.CharField(max_length=declarations.LIMITS["url"], label="Address")
    price = forms.CharField(max_length=16, label="Price of all of it")
    currency = forms.CharField(max_length=3, label="Its currency, such as EUR")
    note = forms.CharField(
        max_length=declarations.LIMITS["note"], widget=forms.Textarea({"rows": 3}), label="Note"
    )
    use_required_attribute = False


@require_GET
@base.page(Capability.VIEW)
def import_page(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show an import as it is now."""
    return _render(request, _record(project, pk))


@require_POST
@base.page(Capability.MANAGE)
def choose(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Import with the concepts that are ticked and those that were typed."""
    record = _record(project, pk)
    typed = request.POST.get("others", "")
    names = [name for line in typed.splitlines() for name in line.split(",") if name.strip()]
    names = [*request.POST.getlist("concept"), *names]
    try:
        record = runner.choose(record=record, by=cast(User, request.user), names=names)
    except UploadError as error:
        chosen = set(request.POST.getlist("concept"))
        return _render(request, record, error=str(error), typed=typed, chosen=chosen)
    tasks.advance_later(record)
    return redirect("project-import", project.slug, pk)


@require_POST
@base.page(Capability.MANAGE)
def declare(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Keep where the import comes from, as its page says it."""
    record = _record(project, pk)
    values = {name: request.POST[name] for name in declarations.FIELDS if name in request.POST}
    try:
        declarations.declare(record, values, by=cast(User, request.user))
    except declarations.DeclarationError as error:
        return _render(request, record, declare_error=str(error), declared=values)
    return redirect(reverse("project-import", args=[project.slug, pk]) + "#provenance")


@require_POST
@base.page(Capability.MANAGE)
def read_again(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Read the source again by what was chosen of its texts, columns and encoding."""
    record = _record(project, pk)
    try:
        record = runner.read_again(
            record=record, by=cast(User, request.user), options=_options(request.POST)
        )
    except UploadError as error:
        record.options = _options(request.POST)  # as they were typed; they are not saved
        return _render(request, record, error=str(error))
    tasks.advance_later(record)
    return redirect("project-import", project.slug, pk)


def _options(form: QueryDict) -> dict[str, Any]:
    """Return the options of a form; what is left as it looks is not chosen."""
    groups = zip(form.getlist("group"), form.getlist("texts"), strict=False)
    columns = {role: form.get(f"column-{role}", "").strip() for role in Column}
    return {
        "encoding": form.get("encoding", "").strip(),
        "texts": {group: kind for group, kind in groups if kind != Texts.AUTO},
        "columns": {str(role): name for role, name in columns.items() if name},
        "masks": form.get("masks") or Masks.REFUSED,
        "bits": form.get("bits") or 0,
    }


@require_POST
@base.page(Capability.MANAGE)
def act(request: HttpRequest, project: Project, pk: int, action: str) -> HttpResponse:
    """Cancel an import, or try it again."""
    record = _record(project, pk)
    try:
        tasks.advance_later(_ACTIONS[action](record=record, by=cast(User, request.user)))
    except UploadError as error:
        messages.error(request, str(error))
    return redirect("project-import", project.slug, pk)


@require_http_methods(["GET", "POST"])
@base.page(Capability.MANAGE)
def undo_page(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Say what goes if an import is taken back; with POST, take it back."""
    record = _record(project, pk)
    if request.method == "POST":
        try:
            tasks.advance_later(runner.undo_later(record=record, by=cast(User, request.user)))
        except UndoError as error:
            messages.error(request, str(error))
        return redirect("project-import", project.slug, pk)
    made = project.concepts.filter(pk__in=record.made_concepts)
    context = {
        "record": record,
        "stored": record.images.count(),
        "answers": Answer.objects.filter(question__tile__image__imported_by=record).count(),
        "given": record.answers.count(),
        "marked": record.gold_marks.filter(ended_at=None).count(),
        "made": list(made.values_list("name", flat=True)),
    }
    template = "project/import_undo.html"
    return base.render(request, project, template, context, section=pictures.SECTION)


@dataclass(frozen=True)
class Reported:
    """What a page names of an import's report."""

    refusals: list[Reason]
    remarks: list[Reason]
    retracted: list[dict[str, str]]  # the first texts that were put right: path, text, kind


@require_GET
@base.page(Capability.VIEW)
def report(request: HttpRequest, project: Project, pk: int) -> FileResponse:
    """Send the table of what became of every file."""
    record = _record(project, pk)
    if not record.report:
        raise Http404("There is no report yet.")
    name = f"{project.slug}-import-{pk}.csv"
    file = record.report.open("rb")
    return FileResponse(file, as_attachment=True, filename=name, content_type="text/csv")


def reported(record: Import) -> Reported:
    """Return what a page names of an import's report: refusals and remarks, most first."""
    if not record.report:
        return Reported([], [], [])
    passed_over = {str(Outcome.DECIDED)}
    if record.kind != Import.Kind.PICTURES:
        passed_over.add(str(Outcome.REMARK))  # which the page shows by themselves
    refused, remarks = dict[str, Reason](), dict[str, Reason]()
    retracted: list[dict[str, str]] = []
    with record.report.open("rb") as file:
        for row in csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline="")):
            reason, outcome = row["reason"], row["outcome"]
            if outcome == Outcome.RETRACTED:
                if len(retracted) < NAMED:
                    path, text = text_of(row["path"]), text_of(reason)
                    retracted.append({"path": path, "text": text, "kind": row["where"]})
                continue
            if not reason or outcome in passed_over:
                continue
            reason = of_text(reason) if outcome == Outcome.TEXT_REFUSED else reason
            reasons_of = remarks if outcome in _REMARKS else refused
            reasons_of.setdefault(reason, Reason(reason)).add(text_of(row["path"]))
    return Reported(_most_first(refused), _most_first(remarks), retracted)


def _most_first(reasons: Mapping[str, Reason]) -> list[Reason]:
    return sorted(reasons.values(), key=lambda reason: -reason.count)


def _record(project: Project, pk: int) -> Import:
    return get_object_or_404(project.imports.select_related("requested_by", "project"), pk=pk)


def _render(
    request: HttpRequest,
    record: Import,
    *,
    error: str = "",
    typed: str = "",
    chosen: set[str] | None = None,
    declare_error: str = "",
    declared: dict[str, Any] | None = None,
) -> HttpResponse:
    """Render an import; with an error, what was chosen and typed is kept."""
    project, done = record.project, record.state == Import.State.DONE
    candidates = [
        {**each, "ticked": each["ticked"] if chosen is None else each["name"] in chosen}
        for each in record.candidates
    ]
    named = reported(record) if done else Reported([], [], [])
    retracted = record.counts.get("retracted", {})
    context: dict[str, Any] = {
        "record": record,
        "error": error,
        "typed": typed,
        "candidates": candidates,
        "decisions": [
            {**each, "words": kinds.in_words(each), "value": each["kind"] if each["chosen"] else ""}
            for each in record.decisions
        ],
        "kinds": KINDS,
        "foreseen": record.foreseen,
        "foreseen_count": sum(each["count"] for each in record.foreseen),
        "bits_range": BITS_RANGE,
        "columns": [(role, record.options.get("columns", {}).get(role, "")) for role in Column],
        "ticked": sum(each["ticked"] for each in candidates),
        "unlisted": record.candidates_count - len(candidates),
        "asked": project.concepts.filter(active=True).count(),
        "stored": record.images.count(),
        "reported": named,
        "more_retracted": sum(retracted.values()) - len(named.retracted),
        "texts": ledger.in_words(record.counts.get("texts", {})),
        "retracted": ledger.retracted_in_words(retracted),
        "caption_trust": list(record.caption_trust.order_by("-judged", "vendor")[:NAMED]),
        "declare_error": declare_error,
        "declaration": Declaration(initial=declared or model_to_dict(record, declarations.FIELDS)),
        "price": provenance.price(record),
        "price_of_a_text": provenance.price_of_a_text(record),
        "marked": reissues.consequences(project) if record.state == State.UNDONE else None,
        "undoable": _may_be_undone(record),
        **answer_files.context(record),
        "working": record.state in {"uploading", "fetching", "reading", "importing", "undoing"},
    }
    status = 409 if error else 400 if declare_error else 200
    template = "project/import.html"
    return base.render(request, project, template, context, section=pictures.SECTION, status=status)


def _may_be_undone(record: Import) -> bool:
    """Whether there is anything to take back: one that was cancelled may have brought nothing."""
    if record.state == Import.State.CANCELLED:
        return bool(record.made_concepts) or record.images.exists()
    return record.state in UNDOABLE and record.state != Import.State.UNDOING


history.register(history.ObjectPage(Import, "project-import"))

urlpatterns = [
    path("imports/<int:pk>/", import_page, name="project-import"),
    path("imports/<int:pk>/concepts/", choose, name="project-import-choose"),
    path("imports/<int:pk>/provenance/", declare, name="project-import-declare"),
    path("imports/<int:pk>/options/", read_again, name="project-import-options"),
    path("imports/<int:pk>/cancel/", act, {"action": "cancel"}, "project-import-cancel"),
    path("imports/<int:pk>/retry/", act, {"action": "retry"}, "project-import-retry"),
    path("imports/<int:pk>/undo/", undo_page, name="project-import-undo"),
    path("imports/<int:pk>/report.csv", report, name="project-import-report"),
]

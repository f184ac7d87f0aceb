"""Annotators in the admin: how reliable they are, and whether their answers count."""

from collections.abc import Iterator
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.db.models.functions import NullIf
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from labeling import annotators, answer_history, project_stats, review, svg
from labeling.admin.base import RecordAdmin, thumbnail
from labeling.annotators import Record
from labeling.models import Annotator, Answer
from labeling.numbers import count
from labeling.permissions import may_view


class Suspects(admin.SimpleListFilter):
    """Annotators that a reviewer should look at."""

    title = "suspicion"
    parameter_name = "suspect"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Annotators to look at")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Annotator]) -> QuerySet[Annotator]:
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in=[one.pk for one in annotators.to_review()])


class Origin(admin.SimpleListFilter):
    """Those who came here to answer, unless visitors of other sites are asked for."""

    title = "where they answered"
    parameter_name = "origin"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("sites", "At other sites, to pass there"), ("all", "Anywhere")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Return the choices, of which the first is not all, but those who came here."""
        here, *others = super().choices(changelist)
        yield {**here, "display": "Here"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Annotator]) -> QuerySet[Annotator]:
        if self.value() == "all":
            return queryset
        return queryset.filter(site__isnull=self.value() != "sites")


class AnnotatorList(ChangeList):
    """A page of annotators whose records are looked up at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        page: list[Annotator] = list(self.result_list)
        records = annotators.records(page)
        for annotator in page:
            setattr(annotator, RECORD, records[annotator.pk])
        self.result_list = page


RECORD = "_record"


def record_of(annotator: Annotator) -> Record:
    """Return what the list looked up already, or look it up now."""
    record: Record | None = getattr(annotator, RECORD, None)
    return record or annotators.records([annotator])[annotator.pk]


@admin.register(Annotator)
class AnnotatorAdmin(RecordAdmin[Annotator]):
    list_display = [
        "__str__",
        "estimate",
        "total_answers",
        "gold",
        "class_accuracies",
        "seconds",
        "counts",
        "seen",
    ]
    list_filter = [Origin, Suspects, "blocked", ("user", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["pseudonym"]
    search_help_text = "A user name or pseudonym, or how it begins."
    ordering = ["-answers_count", "id"]
    sortable_by = ["total_answers", "estimate", "gold", "seen"]
    actions = ["block_selected", "unblock_selected"]
    readonly_fields = ["spells", "estimate", "rates", "gold", "seconds"]
    fields = [
        "pseudonym",
        "user",
        "site",
        "blocked",
        "suspect_since",
        "spells",
        "estimate",
        "rates",
        ("answers_count", "labels_count"),
        "gold",
        "seconds",
        "created_at",
        "seen_at",
    ]

    class Media:
        css = {"all": ["staff/admin.css"]}

    def has_block_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("labeling.change_annotator")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Annotator], search_term: str
    ) -> tuple[QuerySet[Annotator], bool]:
        name = search_term.strip()
        if name:
            queryset = queryset.filter(
                Q(pseudonym__startswith=name) | Q(user__username__startswith=name)
            )
        return queryset, False

    @admin.display(description="reliability", ordering="reliability")
    def estimate(self, annotator: Annotator) -> SafeString:
        mean, low, high = annotators.reliability(annotator)
        interval = svg.interval(mean, low, high)
        cell = format_html("{}{} ({} to {})", interval, *(f"{x:.2f}" for x in (mean, low, high)))
        if not annotators.needs_review(annotator):
            return cell
        return format_html('{} <span class="tessera-wrong">look</span>', cell)

    @admin.display(description="suspect spells")
    def spells(self, annotator: Annotator) -> str:
        spells = [
            f"{spell.started_at:%Y-%m-%d} to "
            + (f"{spell.ended_at:%Y-%m-%d}" if spell.ended_at else "now")
            + f" (answers from {spell.start}"
            + (f" to before {spell.stop})" if spell.stop else " on)")
            for spell in annotator.suspect_spells.all()
        ]
        return "; ".join(spells) or "–"

    @admin.display(description="expected to be right")
    def rates(self, annotator: Annotator) -> str:
        counts = annotator.confusion_counts
        return f"on yes: {counts.sensitivity:.2f}; on no: {counts.specificity:.2f}"

    @admin.display(
        description="gold",
        ordering=F("gold_right") * 1.0 / NullIf("gold_count", 0),
    )
    def gold(self, annotator: Annotator) -> str:
        if not annotator.gold_count:
            return "–"
        return f"{annotator.gold_right} of {annotator.gold_count} right"

    @admin.display(description="answers", ordering="answers_count")
    def total_answers(self, annotator: Annotator) -> str:
        return f"{annotator.answers_count:,}"

    @admin.display(description="right on yes · no")
    def class_accuracies(self, annotator: Annotator) -> str:
        confusion = record_of(annotator).confusion
        both = (confusion.sensitivity, confusion.specificity)
        return " · ".join("–" if share is None else f"{100 * share:.0f} %" for share in both)

    @admin.display(description="median s a tile")
    def seconds(self, annotator: Annotator) -> str:
        record = record_of(annotator)
        if record.seconds is None:
            return "–"
        return f"{record.seconds:.1f} (n {record.timed:,})"

    @admin.display(description="seen", ordering="seen_at")
    def seen(self, annotator: Annotator) -> str:
        return str(naturaltime(annotator.seen_at)) if annotator.seen_at else "–"

    @admin.display(description="counts", boolean=True)
    def counts(self, annotator: Annotator) -> bool:
        return not annotator.blocked

    @admin.action(description="Block: their answers no longer count", permissions=["block"])
    def block_selected(self, request: HttpRequest, queryset: QuerySet[Annotator]) -> None:
        for annotator in queryset.filter(blocked=False):
            set_blocked(request, annotator, blocked=True)

    @admin.action(description="Unblock: their answers count again", permissions=["block"])
    def unblock_selected(self, request: HttpRequest, queryset: QuerySet[Annotator]) -> None:
        for annotator in queryset.filter(blocked=True):
            set_blocked(request, annotator, blocked=False)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(self.block)),
                {"blocked": blocked},
                f"labeling_annotator_{name}",
            )
            for name, blocked in (("block", True), ("unblock", False))
        ] + super().get_urls()

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_block": self.has_block_permission(request)}
        annotator = self.get_object(request, object_id)
        if annotator is not None and self.has_view_permission(request, annotator):
            context["record"] = record_of(annotator)
            if may_view(request.user, Answer):
                history = answer_history.of(annotator)
                for row in history["answers"]:
                    row["picture"] = thumbnail(row["question"].tile_id)
                context |= history
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, str] | None = None
    ) -> HttpResponse:
        wide: dict[str, Any] = {**(extra_context or {}), "is_nav_sidebar_enabled": False}
        return super().changelist_view(request, wide)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AnnotatorList

    def block(self, request: HttpRequest, pk: int, blocked: bool) -> HttpResponse:
        """Block or unblock one annotator, then go back to where the button was."""
        if not self.has_block_permission(request):
            raise PermissionDenied
        annotator = get_object_or_404(Annotator.objects.select_related("user"), pk=pk)
        set_blocked(request, annotator, blocked=blocked)
        back = request.POST.get("next", "")
        if not url_has_allowed_host_and_scheme(
            back, {request.get_host()}, require_https=request.is_secure()
        ):
            back = reverse("admin:labeling_annotator_change", args=[pk])
        return redirect(back)


def set_blocked(request: HttpRequest, annotator: Annotator, *, blocked: bool) -> None:
    """Block or unblock an annotator, and say how many labels changed."""
    act = review.block if blocked else review.unblock
    changed = act(annotator=annotator, by=cast(User, request.user))
    project_stats.forget_all()
    what = count(changed, "label") if changed else "no label"
    done = f"{'Blocked' if blocked else 'Unblocked'} {annotator}: {what} changed"
    busy = annotator.answers_count > review.AT_ONCE
    rest = f" by the newest {review.AT_ONCE:,} answers, the others follow within minutes"
    messages.success(request, f"{done}{rest if busy else ''}.")

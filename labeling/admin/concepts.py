"""Concepts in the admin: each is created, renamed, switched off and merged here."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from labeling import concepts, tasks
from labeling.admin.base import QuickAdmin, rounded
from labeling.admin.concept_forms import ConceptForm, ConceptRowForm
from labeling.concepts import ConceptError
from labeling.models import Concept
from labeling.project_pages import concepts as concept_pages
from labeling.project_pages.concept_forms import MergeForm

OWN_FIELDS = {"name", "phrase", "definition", "aliases", "active", "value"}


class Merged(admin.SimpleListFilter):
    """Concepts that were merged, which are not listed otherwise."""

    title = "merging"
    parameter_name = "merged"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Merged into another")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Concept]) -> QuerySet[Concept]:
        return queryset.filter(merged_into__isnull=self.value() != "yes")


@admin.register(Concept)
class ConceptAdmin(QuickAdmin[Concept]):
    form = ConceptForm
    list_display = [
        "name",
        "phrase",
        "other_names",
        "project",
        "active",
        "value",
        rounded("prevalence"),
    ]
    list_editable = ["active", "value"]
    list_filter = ["project", "active", Merged]
    list_select_related = ["project", "merged_into"]
    search_fields = ["name", "aliases"]
    search_help_text = "A name or an alias."
    actions = ["merge_selected"]

    class Media:
        css = {"all": ["staff/admin.css"]}

    def get_fields(self, request: HttpRequest, obj: Concept | None = None) -> Any:
        if obj is None:
            return ["project", "name", "phrase", "definition", "aliases", "active", "value"]
        shown = [rounded("prevalence"), "answers"]
        if obj.merged_into_id is not None:
            return ["project", "name", "phrase", "merged_into", "active", *shown]
        texts = ["name", "keep_name", "phrase", "definition", "aliases"]
        return ["project", *texts, "active", "value", *shown]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Concept | None = None
    ) -> tuple[Any, ...]:
        return ("project", rounded("prevalence"), "answers") if obj else ()

    def get_changelist_form(self, request: HttpRequest, **options: Any) -> Any:
        return super().get_changelist_form(request, **{**options, "form": ConceptRowForm})

    def has_change_permission(self, request: HttpRequest, obj: Concept | None = None) -> bool:
        """Refuse it for a concept that was merged: it is a record."""
        merged = obj is not None and obj.merged_into_id is not None
        return not merged and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Concept | None = None) -> bool:
        """Allow it for a concept without answers only: they are never lost."""
        unanswered = obj is not None and not concepts.answers_count(obj)
        return unanswered and super().has_delete_permission(request, obj)

    @admin.display(description="aliases")
    def other_names(self, concept: Concept) -> str:
        if concept.merged_into is not None:
            return f"merged into “{concept.merged_into}”"
        return ", ".join(concept.aliases) or "–"

    @admin.display(description="answers")
    def answers(self, concept: Concept) -> SafeString | str:
        count = concepts.answers_count(concept)
        if not count:
            return "None yet: it may be deleted."
        address = _merge_address([concept])
        return format_html(
            "{}, which are never deleted. It can be switched off, or "
            '<a href="{}">merged into another concept</a>.',
            f"{count:,}",
            address,
        )

    # Saving

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        """Show the form; say so where somebody else took a name while it was saved."""
        try:
            return super().changeform_view(request, *args, **options)
        except ConceptError as error:
            messages.error(request, str(error))
            return redirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Concept, form: Any, change: bool) -> None:
        data, by = form.cleaned_data, cast(User, request.user)
        if change:
            changes = {name: data[name] for name in OWN_FIELDS.intersection(form.changed_data)}
            keep_name = data.get("keep_name", True)
            saved = concepts.edit(concept=obj, keep_name=keep_name, by=by, **changes)
        else:
            values = {name: data[name] for name in OWN_FIELDS | {"project"}}
            saved = concepts.create(by=by, **values)
        obj.pk = saved.pk
        obj.refresh_from_db()
        tasks.finish_concept_later(saved)
        if saved.unfinished_from is not None:
            messages.info(
                request,
                f"Its keywords are those of more than {concepts.AT_ONCE:,} pictures: what imports "
                "state of the others follows within minutes.",
            )

    def response_post_save_add(self, request: HttpRequest, obj: Concept) -> HttpResponseRedirect:
        """Lead to the concepts of the new one's project."""
        if not self.has_view_or_change_permission(request):
            return super().response_post_save_add(request, obj)
        query = urlencode({"project__id__exact": obj.project_id})
        return HttpResponseRedirect(f"{reverse('admin:labeling_concept_changelist')}?{query}")

    # Deleting

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Delete a concept; say why where it cannot be."""
        concept = self.get_object(request, object_id)
        if concept is not None and (count := concepts.answers_count(concept)):
            messages.error(request, concepts.refusal(concept, count))
            return redirect("admin:labeling_concept_change", concept.pk)
        return super().delete_view(request, object_id, extra_context)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Count the questions that go with it rather than listing them."""
        count = sum(concept.questions.count() for concept in objs)
        names = [f"Concept: {concept}" for concept in objs]
        questions = f"{count:,} questions that nobody has answered"
        return [*names, questions], {"concepts": len(objs), "questions": count}, set(), []

    def delete_model(self, request: HttpRequest, obj: Concept) -> None:
        concepts.delete(obj, by=cast(User, request.user))

    # The services write the history

    def log_addition(self, request: HttpRequest, obj: Concept, message: Any) -> Any:
        pass

    def log_change(self, request: HttpRequest, obj: Concept, message: Any) -> Any:
        pass

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        pass

    # Merging

    @admin.action(description="Merge the selected concepts …", permissions=["change"])
    def merge_selected(self, request: HttpRequest, queryset: QuerySet[Concept]) -> HttpResponse:
        return redirect(_merge_address(list(queryset)))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.merge)
        return [path("merge/", view, name="labeling_concept_merge"), *super().get_urls()]

    def merge(self, request: HttpRequest) -> HttpResponse:
        """Ask which of the concepts stays, and merge the others into it."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        form = MergeForm(request.POST or None, chosen=request.GET.getlist("concept"))
        if problem := form.problem():
            messages.error(request, problem)
            return redirect("admin:labeling_concept_changelist")
        if request.method == "POST" and form.is_valid():
            into = form.cleaned_data["into"]
            concept_pages.merge_all(request, [each for each in form.chosen if each != into], into)
            return redirect("admin:labeling_concept_change", into.pk)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Merge concepts",
            "is_nav_sidebar_enabled": False,
            "form": form,
        }
        return TemplateResponse(request, "admin/labeling/concept/merge.html", context)


def _merge_address(chosen: list[Concept]) -> str:
    query = urlencode([("concept", concept.pk) for concept in chosen])
    return f"{reverse('admin:labeling_concept_merge')}?{query}"

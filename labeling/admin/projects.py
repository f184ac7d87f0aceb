"""Projects in the admin."""

from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from labeling import projects
from labeling.admin.base import ModelAdmin
from labeling.models import Project


@admin.register(Project)
class ProjectAdmin(ModelAdmin[Project]):
    list_display = ["name", "slug", "state", "labels_link"]
    search_fields = ["name", "slug"]
    prepopulated_fields: ClassVar[dict[str, Any]] = {"slug": ["name"]}
    readonly_fields: ClassVar[list[str]] = ["state", "created_at"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "name",
                    "slug",
                    "state",
                    "private",
                    "description",
                    "attribution",
                    "created_at",
                ]
            },
        ),
        (
            "When a question is settled",
            {
                "fields": ["settle_at", "answers_min", "answers_cap", "answer_cost"],
                "description": "New thresholds count for a question when it is next answered, "
                "and for all questions when posteriors are next recomputed.",
            },
        ),
        (
            "What is asked, and priors",
            {"fields": ["random_share", "import_confidence"]},
        ),
        ("Training", {"fields": ["retrain_after"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Project | None = None) -> list[str]:
        """Keep the slug of a project, which is in addresses that people have."""
        return self.readonly_fields + (["slug"] if obj else [])

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Project | None = None
    ) -> dict[str, Any]:
        return {} if obj else self.prepopulated_fields

    def save_model(self, request: HttpRequest, obj: Project, form: Any, change: bool) -> None:
        """Make a draft of one's own, or change settings, as the project's pages do."""
        by = cast(User, request.user)
        if not change:
            projects.add(project=obj, by=by)
            return
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        projects.edit(project=obj, by=by, version=None, **changes)

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        """Allow it for a project without pictures only: answers are never lost."""
        empty = obj is not None and not projects.why_not_deleted(obj)
        return empty and super().has_delete_permission(request, obj)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Delete a project; say why where it cannot be."""
        try:
            project = self.get_object(request, object_id)
            if project is not None and (refusal := projects.why_not_deleted(project)):
                raise projects.Conflict(refusal, project)
            return super().delete_view(request, object_id, extra_context)
        except projects.Conflict as error:
            messages.error(request, str(error))
            return redirect("admin:labeling_project_change", object_id)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the projects; what goes with one that is empty is its history and its settings."""
        names = [f"Project: {project}" for project in objs]
        return [*names, "its concepts, members and history"], {"projects": len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Project) -> None:
        projects.delete(obj)

    @admin.display(description="labels")
    def labels_link(self, project: Project) -> SafeString:
        address = reverse("project-labels", args=[project.slug])
        return format_html('<a href="{}">labels</a>', address)

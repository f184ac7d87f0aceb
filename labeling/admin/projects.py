"""Projects in the admin, and each project's review."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from labeling.admin import quality, review_queue, stats, svg
from labeling.admin.base import ModelAdmin
from labeling.models import Annotator, Project, Question
from labeling.permissions import may_view


@admin.register(Project)
class ProjectAdmin(ModelAdmin[Project]):
    list_display = ["name", "slug", "state", "review_link"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    readonly_fields = ["created_at"]
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

    def has_delete_permission(self, request: HttpRequest, obj: Project | None = None) -> bool:
        """Allow it for a project without pictures only: answers are never lost."""
        empty = obj is not None and not obj.images.exists()
        return empty and super().has_delete_permission(request, obj)

    @admin.display(description="review")
    def review_link(self, project: Project) -> SafeString:
        address = reverse("admin:labeling_project_review", args=[project.pk])
        return format_html('<a href="{}">review</a>', address)

    def get_urls(self) -> list[URLPattern]:
        views = {"review": self.review, "agreement": self.agreement}
        return [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_GET(view)),
                name=f"labeling_project_{name}",
            )
            for name, view in views.items()
        ] + super().get_urls()

    def review(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show how far the project is, and the questions that people disagree on."""
        project = self._reviewed(request, pk)
        filters = review_queue.Filters(request.GET, project=project)
        position = filters.cleaned_data.get("after")
        questions = review_queue.after(
            _with_texts(filters.questions()), position, review_queue.PAGE + 1
        )
        page = questions[: review_queue.PAGE]
        context = self._context(request, project, f"Review {project}") | {
            "progress": stats.progress(project),
            "agreement": stats.agreement(project),
            "filters": filters,
            "query": filters.query,
            "tiles": [(question, svg.probability_bar(question)) for question in page],
            "more": review_queue.Position.of(page[-1])
            if len(questions) > review_queue.PAGE
            else None,
            "first_page": position is None,
        }
        return TemplateResponse(request, "admin/labeling/project/review.html", context)

    def agreement(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show how far people agree, how often labels are right, and the history of both."""
        project = self._reviewed(request, pk)
        context = self._context(request, project, f"Agreement on {project}") | quality.of(project)
        context["may_see_annotators"] = may_view(request.user, Annotator)
        context["may_block"] = request.user.has_perm("labeling.change_annotator")
        return TemplateResponse(request, "admin/labeling/project/agreement.html", context)

    def _reviewed(self, request: HttpRequest, pk: int) -> Project:
        if not may_view(request.user, Project, Question):
            raise PermissionDenied
        return get_object_or_404(Project, pk=pk)

    def _context(self, request: HttpRequest, project: Project, title: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "is_nav_sidebar_enabled": False,
            "project": project,
        }


def _with_texts(questions: QuerySet[Any]) -> QuerySet[Any]:
    return questions.select_related("concept", "tile")

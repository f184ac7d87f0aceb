"""Models and generations in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labeling.admin.base import RecordAdmin
from training import generators, promotion, tasks
from training.admin import verdicts
from training.models import Generation, Model


@admin.register(Model)
class ModelAdmin(RecordAdmin[Model]):
    """A model with the verdict on it; a person may make any model the current one."""

    list_display = ["__str__", "project", "standing_and_reason", "feedback_given", "created"]
    list_filter = ["recipe", "current", "project"]
    list_select_related = ["project", "run"]
    fields = ["project", "recipe", "standing", "run_link", "feedback_given", "folder", "created_at"]
    readonly_fields = ["standing", "run_link", "feedback_given"]

    class Media:
        css = {"all": ["staff/run.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return super().get_queryset(request).prefetch_related("promotions")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.promote)
        return [path("<int:pk>/promote/", view, name="training_model_promote"), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        model = self.get_object(request, object_id)
        """Show the verdict below the model's fields."""
        verdict = verdicts.context(model, request.user) if model else None
        return super().change_view(request, object_id, form_url, {"verdict": verdict})

    def promote(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Make a model the current one: roll back to it, or overrule its comparison."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not isinstance(request.user, User) or not request.user.has_perm("training.change_model"):
            raise PermissionDenied
        model = get_object_or_404(Model.objects.select_related("project"), pk=pk)
        try:
            tasks.promote(model=model, by=request.user)
        except promotion.PromotionError as error:
            self.message_user(request, str(error), messages.WARNING)
        else:
            self.message_user(request, f"The current one is {model} now.", messages.SUCCESS)
        return redirect("admin:training_run_change", model.run_id)

    @admin.display(description="standing", ordering="current")
    def standing(self, model: Model) -> str:
        """Say whether it is current, was so, or is a candidate."""
        return verdicts.standing(model)

    @admin.display(description="standing", ordering="current")
    def standing_and_reason(self, model: Model) -> SafeString:
        """Say so, with the verdict's sentence."""
        reason = (model.verdict or {}).get("why", "")
        return format_html("<strong>{}</strong><br>{}", verdicts.standing(model), reason)

    @admin.display(description="created", ordering="created_at")
    def created(self, model: Model) -> str:
        """Show when its run ended, to the minute."""
        return f"{model.created_at:%d %b %H:%M}"

    @admin.display(description="run")
    def run_link(self, model: Model) -> SafeString:
        """Link to the run that produced it."""
        address = reverse("admin:training_run_change", args=[model.run_id])
        return format_html('<a href="{}">{}</a>', address, model.run)

    @admin.display(description="back to the loop")
    def feedback_given(self, model: Model) -> str:
        """Show how many predictions, samples and questions it gave back."""
        if model.feedback is None:
            is_due = model.current or generators.generates(model.recipe)
            return "not yet" if is_due else "nothing: it is not the current one"
        if error := model.feedback.get("error"):
            return f"nothing, because: {error}"
        return ", ".join(f"{count:,} {name}" for name, count in model.feedback.items())


@admin.register(Generation)
class GenerationAdmin(RecordAdmin[Generation]):
    """Requests for samples, with their samples."""

    list_display = ["__str__", "sample_images", "model", "state", "requested_by", "created_at"]
    list_filter = ["state", "model__project"]
    list_select_related = ["model", "requested_by"]
    search_fields = ["prompt"]
    list_per_page = 25
    fields = ["prompt", "sample_images", "model", "state", "error", "count", "seed", "guidance"]
    readonly_fields = ["sample_images"]

    class Media:
        css = {"all": ["staff/run.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Generation]:
        return super().get_queryset(request).prefetch_related("samples")

    @admin.display(description="samples")
    def sample_images(self, generation: Generation) -> SafeString:
        """Show the samples side by side."""
        images = format_html_join(
            "",
            '<img src="{}" alt="" width="64" height="64" loading="lazy">',
            (
                (reverse("generation_sample", args=[generation.pk, number]),)
                for number in range(1, len(generation.samples.all()) + 1)
            ),
        )
        return format_html('<span class="drawn-strip">{}</span>', images)

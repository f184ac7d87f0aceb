"""Models and drawings in the admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labeling.admin.base import RecordAdmin
from training.models import Generation, Model


@admin.register(Model)
class ModelAdmin(RecordAdmin[Model]):
    list_display = ["__str__", "project", "current", "its_run", "gave_back", "created_at"]
    list_filter = ["recipe", "current", "project"]
    list_select_related = ["project", "run"]
    fields = ["project", "recipe", "current", "its_run", "gave_back", "folder", "created_at"]
    readonly_fields = ["its_run", "gave_back"]

    @admin.display(description="run")
    def its_run(self, model: Model) -> SafeString:
        address = reverse("admin:training_run_change", args=[model.run_id])
        return format_html('<a href="{}">{}</a>', address, model.run)

    @admin.display(description="back to the loop")
    def gave_back(self, model: Model) -> str:
        if model.feedback is None:
            return "not yet"
        return ", ".join(f"{value} {name}" for name, value in model.feedback.items())


@admin.register(Generation)
class GenerationAdmin(RecordAdmin[Generation]):
    list_display = ["__str__", "pictures", "model", "state", "requested_by", "created_at"]
    list_filter = ["state", "model__project"]
    list_select_related = ["model", "requested_by"]
    search_fields = ["prompt"]
    list_per_page = 25
    fields = ["prompt", "pictures", "model", "state", "error", "count", "seed", "guidance"]
    readonly_fields = ["pictures"]

    class Media:
        css = {"all": ["training/run.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Generation]:
        return super().get_queryset(request).prefetch_related("samples")

    @admin.display(description="pictures")
    def pictures(self, generation: Generation) -> SafeString:
        images = format_html_join(
            "",
            '<img src="{}" alt="" width="64" height="64" loading="lazy">',
            (
                (reverse("generation_picture", args=[generation.pk, number]),)
                for number in range(1, len(generation.samples.all()) + 1)
            ),
        )
        return format_html('<span class="drawn-strip">{}</span>', images)

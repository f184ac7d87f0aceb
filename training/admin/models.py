"""Models, changes of the current one, and generations in the admin: lists that lead to pages."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from labeling.admin.base import RecordAdmin
from training import verdicts
from training.models import Generation, Model, Promotion


@admin.register(Model)
class ModelAdmin(RecordAdmin[Model]):
    """Models with the verdict on them; their project's page is where they are promoted."""

    list_display = ["__str__", "project", "standing_and_reason", "feedback_given", "created"]
    list_filter = ["recipe", "current", "accepted", "project"]
    list_select_related = ["project", "run"]
    fields = [
        "page_link",
        "project",
        "recipe",
        "standing",
        "accepted",
        "feedback_given",
        "folder",
        "created_at",
    ]
    readonly_fields = ["page_link", "standing", "feedback_given"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return super().get_queryset(request).prefetch_related("promotions")

    @admin.display(description="page")
    def page_link(self, model: Model) -> SafeString:
        """Link to the model's page in its project."""
        address = reverse("project-model", args=[model.project.slug, model.pk])
        return format_html('<a href="{}">verdict, figures and drawings</a>', address)

    @admin.display(description="standing", ordering="current")
    def standing(self, model: Model) -> str:
        """Say whether it is current, was so, or is a candidate."""
        return verdicts.standing(model)

    @admin.display(description="standing", ordering="current")
    def standing_and_reason(self, model: Model) -> SafeString:
        """Say so, with the verdict's sentence."""
        return format_html(
            "<strong>{}</strong><br>{}", verdicts.standing(model), verdicts.sentence(model)
        )

    @admin.display(description="created", ordering="created_at")
    def created(self, model: Model) -> str:
        """Show when its run ended, to the minute."""
        return f"{model.created_at:%d %b %H:%M}"

    @admin.display(description="back to the loop")
    def feedback_given(self, model: Model) -> str:
        """Show how many predictions, samples and questions it gave back."""
        return verdicts.feedback(model)


@admin.register(Promotion)
class PromotionAdmin(RecordAdmin[Promotion]):
    """Changes of the current model, by the comparison and by people."""

    list_display = ["change", "project", "recipe", "decided_by", "reason", "created_at"]
    list_filter = ["recipe", "automatic", "project"]
    list_select_related = ["project", "model", "replaced", "promoted_by", "undoes"]
    fields = ["change", "project", "recipe", "replaced", "decided_by", "reason", "created_at"]
    readonly_fields = ["change", "decided_by"]

    @admin.display(description="change")
    def change(self, promotion: Promotion) -> str:
        """Say what it did."""
        return verdicts.changed(promotion)

    @admin.display(description="decided by")
    def decided_by(self, promotion: Promotion) -> str:
        """Say who did it."""
        return verdicts.decided_by(promotion)


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
        css = {"all": ["staff/training.css"]}

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

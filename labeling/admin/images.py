"""Pictures and tiles in the admin, and the address where reviewers' pages fetch a tile."""

import re
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from labeling.admin.base import RecordAdmin, thumbnail
from labeling.images import tiles
from labeling.models import Image, Question, Tile
from labeling.permissions import may_view

LARGE = 640  # pixels of the longer side, where one picture is looked at
SMALL = 160  # and in lists


class OriginFilter(admin.SimpleListFilter):
    title = "origin"
    parameter_name = "origin"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("real", "real"), ("generated", "drawn by a model")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Image]) -> QuerySet[Image]:
        if self.value() == "real":
            return queryset.filter(generated=False)
        if self.value() == "generated":
            return queryset.filter(generated=True)
        return queryset


@admin.register(Image)
class ImageAdmin(RecordAdmin[Image]):
    list_display = ["picture", "source", "size", "words", "license", "generated", "created_at"]
    list_display_links = ["picture", "source"]
    list_filter = ["project", OriginFilter, ("near_duplicate_of", admin.EmptyFieldListFilter)]
    search_fields = ["keywords"]
    search_help_text = "A keyword, or the beginning of a SHA-256."
    ordering = ["-id"]
    sortable_by = ()
    readonly_fields = ["picture"]

    class Media:
        css = {"all": ["staff/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Image]:
        whole = Tile.objects.filter(image=OuterRef("pk"), grid=1, position=0)
        return super().get_queryset(request).annotate(whole=Subquery(whole.values("pk")[:1]))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Image], search_term: str
    ) -> tuple[QuerySet[Image], bool]:
        term = search_term.strip().lower()
        if not term:
            return queryset, False
        if re.fullmatch("[0-9a-f]{6,64}", term):
            return queryset.filter(sha256__gte=term, sha256__lt=term + "g"), False
        return queryset.filter(keywords__contains=[term]), False

    @admin.display(description="picture")
    def picture(self, image: Image) -> SafeString | str:
        return thumbnail(getattr(image, "whole", None))

    @admin.display(description="size")
    def size(self, image: Image) -> str:
        return f"{image.width} × {image.height}"

    @admin.display(description="keywords")
    def words(self, image: Image) -> str:
        return ", ".join(image.keywords)


@admin.register(Tile)
class TileAdmin(RecordAdmin[Tile]):
    list_display = ["picture", "image", "grid", "position"]
    list_filter = ["grid"]
    list_select_related = ["image"]
    ordering = ["-id"]
    sortable_by = ()
    readonly_fields = ["picture"]

    class Media:
        css = {"all": ["staff/admin.css"]}

    @admin.display(description="picture")
    def picture(self, tile: Tile) -> SafeString | str:
        return thumbnail(tile.pk)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.send_picture, cacheable=True)
        return [
            path("<int:pk>/picture/", view, name="labeling_tile_picture"),
            path("<int:pk>/picture/large/", view, {"longest": LARGE}, "labeling_tile_large"),
            *super().get_urls(),
        ]

    def send_picture(self, request: HttpRequest, pk: int, longest: int = SMALL) -> HttpResponse:
        """A tile's pixels, for those who may look at pictures or at questions about them."""
        if not may_view(request.user, Question) and not may_view(request.user, Tile):
            raise PermissionDenied
        tile = get_object_or_404(Tile.objects.select_related("image"), pk=pk)
        response = HttpResponse(tiles.picture(tile, longest=longest), content_type="image/webp")
        response["Cache-Control"] = "private, max-age=86400, immutable"
        return response

"""What the admin's pages have in common: quick lists, and forms that save only what changed."""

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import FloatField, Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as DjangoModelAdmin
else:

    class DjangoModelAdmin(admin.ModelAdmin):
        """Django's, which may be written with its model: `ModelAdmin[Question]`."""

        def __class_getitem__(cls, model: type[Model]) -> type[admin.ModelAdmin]:
            return cls


M = TypeVar("M", bound=Model)

COUNTED = 10_000  # rows that are counted one by one; beyond them PostgreSQL's estimate does


class QuickPaginator(Paginator):  # type: ignore[type-arg]
    """Count exactly as far as `COUNTED`; beyond it, take what the query planner expects."""

    @cached_property
    def count(self) -> int:
        rows = cast(QuerySet[Model], self.object_list).order_by()
        counted = rows[: COUNTED + 1].count()
        if counted <= COUNTED:
            return counted
        plan = json.loads(rows.select_related(None).explain(format="json"))
        return max(counted, int(plan[0]["Plan"]["Plan Rows"]))

    @property
    def estimated(self) -> bool:
        return self.count > COUNTED


class ModelAdmin(DjangoModelAdmin[M]):
    """Django's, but a form saves only the columns that it changed.

    Workers write other columns of the same rows at any time: Django's own would put back what
    they were when the form was read.
    """

    def save_model(self, request: HttpRequest, obj: M, form: Any, change: bool) -> None:
        if not change:
            obj.save()
            return
        columns = {field.name for field in obj._meta.concrete_fields}
        obj.save(update_fields=columns.intersection(form.changed_data))


class QuickAdmin(ModelAdmin[M]):
    """A list that takes the same time at a hundred rows and at a hundred thousand."""

    paginator = QuickPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50


class RecordAdmin(QuickAdmin[M]):
    """A model whose rows the loop writes: they are shown here, never added, edited or deleted."""

    def get_fields(self, request: HttpRequest, obj: M | None = None) -> Any:
        """Show the model's numbers to three digits."""
        floats = {f.name for f in self.opts.concrete_fields if isinstance(f, FloatField)}
        names = super().get_fields(request, obj)
        return [rounded(name) if name in floats else name for name in names]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


@cache
def rounded(name: str) -> Callable[[Model], str]:
    """Return a display function that shows a column of numbers to three digits.

    It is always the same one for a name: Django compares the fields of a form by identity.
    """

    @admin.display(description=name.replace("_", " "), ordering=name)
    def show(row: Model) -> str:
        value = getattr(row, name)
        return "–" if value is None else f"{value:.3g}"

    show.__name__ = name  # under which Django finds the column's help text
    return show


def thumbnail(tile_id: int | None) -> SafeString | str:
    """Return a small picture of a tile, which browsers fetch when it comes into view."""
    if tile_id is None:
        return "–"
    return format_html(
        '<img class="tessera-thumbnail" src="{}" alt="picture {}" loading="lazy" width="64" '
        'height="64">',
        reverse("admin:labeling_tile_picture", args=[tile_id]),
        tile_id,
    )

"""Rows of which any of several conditions is true, a page at a time.

Where an “or” stands between conditions on several tables, PostgreSQL reads the whole table. Here
each condition is a query of its own, which its own index answers, no further than the page needs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)
Part = Callable[[QuerySet[Any], int], Iterable[int]]  # the first ids of rows, and how many at most


@dataclass(frozen=True)
class RowUnion(Generic[M]):
    """Rows that are in any of the parts. It is filtered, ordered and sliced as a query is."""

    rows: QuerySet[M]
    parts: tuple[Part, ...]

    def filter(self, *conditions: Any, **values: Any) -> Self:
        """Keep the rows that meet these conditions, too."""
        return replace(self, rows=self.rows.filter(*conditions, **values))

    def order_by(self, *fields: str) -> Self:
        """Read the rows in this order."""
        return replace(self, rows=self.rows.order_by(*fields))

    def select_related(self, *names: str) -> Self:
        """Read what belongs to the rows of a page with them."""
        return replace(self, rows=self.rows.select_related(*names))

    def prefetch_related(self, *names: str) -> Self:
        """Read what belongs to the rows of a page by further queries."""
        return replace(self, rows=self.rows.prefetch_related(*names))

    def __getitem__(self, page: slice) -> list[M]:
        """Return the rows from `start` to `stop`, which must be there."""
        bare = self.rows.prefetch_related(None).select_related(None)
        ids = {pk for part in self.parts for pk in part(bare, page.stop)}
        return list(self.rows.filter(pk__in=ids)[page]) if ids else []


def part(**values: Any) -> Part:
    """Return the part of the rows that meet a condition."""

    def ids(rows: QuerySet[Any], count: int) -> Iterable[int]:
        return rows.filter(**values).values_list("pk", flat=True)[:count]

    return ids

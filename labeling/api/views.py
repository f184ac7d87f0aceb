"""REST framework's views, which refuse a query that nobody reads."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from rest_framework import generics, mixins, serializers, views
from rest_framework.request import Request

from labeling.api import queries
from labeling.api.pagination import ById
from labeling.api.queries import Query

M = TypeVar("M", bound=Model)


class APIView(views.APIView):
    """A view that says in `queries` which parameters its methods take."""

    queries: ClassVar[Mapping[str, type[Query]]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the query, once it is clear that the caller may ask. Raises ValidationError."""
        super().initial(request, *args, **kwargs)
        if request.query_params:
            self._check_query(request)

    def chosen(self) -> dict[str, Any]:
        """Return what the query of the request says. Raises ValidationError."""
        return queries.read(self.request, self.queries[self._method])

    def _check_query(self, request: Request) -> None:
        queries.check(request, self._parameters())
        if self._method in self.queries:
            self.chosen()
        if paginator := _paginator(self):
            paginator().get_page_size(request)

    @property
    def _method(self) -> str:
        return "GET" if self.request.method == "HEAD" else str(self.request.method)

    def _parameters(self) -> dict[str, bool]:
        """Return whether a parameter may be repeated, by its name."""
        declared = self.queries.get(self._method, Query)().fields
        known = {name: isinstance(field, serializers.ListField) for name, field in declared.items()}
        if paginator := _paginator(self):
            known |= {paginator.cursor_query_param: False, paginator.page_size_query_param: False}
        return known


class GenericAPIView(APIView, generics.GenericAPIView[M]):
    pass


class ListAPIView(APIView, generics.ListAPIView[M]):
    pass


class RetrieveAPIView(APIView, generics.RetrieveAPIView[M]):
    pass


def _paginator(view: APIView) -> type[ById] | None:
    """Return what leads through the pages of a list; None where the request is for none."""
    is_list = isinstance(view, mixins.ListModelMixin) or not isinstance(
        view, generics.GenericAPIView
    )
    reads = view.request.method in {"GET", "HEAD"}
    return getattr(view, "pagination_class", None) if reads and is_list else None

"""How far people agree, how often labels are right, and whom to look at."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_GET

from labeling.access import Capability
from labeling.models import Project
from labeling.project_pages import base, labels, quality, stats

LEAST = 10  # questions in common, unless another number is asked for
COLUMNS = [
    ("name", "Concept", ""),
    ("alpha", "alpha", "Krippendorff's alpha: 1 is perfect, 0 is chance; with its 95 % interval"),
    ("n", "n", "Questions with two answers or more, and their answers and all others"),
    ("agree", "agree", "Share of agreeing pairs of answers"),
    ("yes", "yes", "Share of yes among all answers"),
]


class Filters(forms.Form):
    """The order of the table and its least n, by the address; what makes no sense is ignored."""

    sort = forms.ChoiceField(choices=[(name, name) for name in stats.SORTS], required=False)
    order = forms.ChoiceField(choices=[("up", "up"), ("down", "down")], required=False)
    least = forms.IntegerField(min_value=0, max_value=10**9, required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.is_valid()
        least = self.cleaned_data.get("least")
        self.least_n: int = LEAST if least is None else least
        self.sort_by: str = self.cleaned_data.get("sort") or "alpha"
        self.descending: bool = self.cleaned_data.get("order") == "down"

    def column(self, name: str, title: str, explained: str) -> dict[str, str]:
        """Return a header: its title, and the link that sorts by it, or the other way round."""
        here = name == self.sort_by
        order = "down" if here and not self.descending else "up"
        query = urlencode({"sort": name, "order": order, "least": self.least_n})
        direction = "descending" if self.descending else "ascending"
        return {
            "name": name,
            "title": title,
            "explained": explained,
            "link": f"?{query}#agreement-title",
            "sorted": direction if here else "",
        }


@require_GET
@base.page(Capability.VIEW)
def agreement(request: HttpRequest, project: Project) -> HttpResponse:
    """Show how far people agree, how often labels are right, and the history of both."""
    filters = Filters(request.GET)
    context = quality.of(project) | {
        "agreement": stats.agreement(
            project, sort=filters.sort_by, descending=filters.descending, least=filters.least_n
        ),
        "columns": [filters.column(*each) for each in COLUMNS],
        "filters": filters,
    }
    return base.render(request, project, "project/agreement.html", context, section=labels.SECTION)


urlpatterns = [path("agreement/", agreement, name="project-agreement")]

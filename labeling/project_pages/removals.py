"""Say on a page, after something was removed, which snapshots hold it."""

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from labeling import reissues
from labeling.models import Project


def say_consequences(request: HttpRequest, project: Project) -> None:
    """Add a message about what is marked, with a link to where it is issued again."""
    if marked := str(reissues.consequences(project)):
        address = reverse("project-snapshots", args=[project.slug])
        link = format_html('<a href="{}">Issue again</a>', address)
        messages.warning(request, format_html("{}. {}.", marked, link))

"""What a project's pages have in common: who may see them, their sections, their context."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render as render_template
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

from labeling import access, presence
from labeling.access import Capability
from labeling.models import Project

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Project, P], HttpResponseBase]


@dataclass(frozen=True)
class Section:
    """An entry of the menu that all pages of a project show."""

    name: str  # of its URL pattern, which takes the slug
    title: str
    order: int  # in the menu, which follows the loop
    capability: Capability = Capability.VIEW


_sections: dict[str, Section] = {}


def register(section: Section) -> Section:
    """Add a section to the menu, where the module of its pages is imported; return it."""
    _sections[section.name] = section
    return section


def page(
    capability: Capability, *, cacheable: bool = False
) -> Callable[[View[P]], Callable[..., HttpResponseBase]]:
    """Return a decorator: the view is given the project of the slug if the user may do this there.

    Whoever may not even see the project's pages is not told that there is one. cacheable: whether
    the view's own Cache-Control counts, as for pictures.
    """

    def decorate(view: View[P]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def checked(
            request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            projects = access.projects(request.user).select_related("recomputation")
            project = projects.defer("recomputation__settling_rules").filter(slug=slug).first()
            if project is None:
                raise Http404("There is no such project, or you are not a member of it.")
            if not access.may(request.user, project, capability):
                raise PermissionDenied("Your role in this project does not allow it.")
            try:
                return view(request, project, *args, **kwargs)
            except presence.PictureGone as error:
                return _gone(request, project, str(error))
            except (Project.DoesNotExist, IntegrityError) as error:
                if not presence.is_of_deleted(error):
                    raise
                raise Http404("The project was deleted meanwhile.") from error

        return checked if cacheable else never_cache(checked)

    return decorate


def next_address(request: HttpRequest, default: str) -> str:
    """Return the address that a form asks to return to, where it is on this site."""
    address = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(address, {request.get_host()}, request.is_secure())
    return address if safe else default


def _gone(request: HttpRequest, project: Project, sentence: str) -> HttpResponse:
    """Say that a picture is gone; in plain text to a script that shows it by itself."""
    if "quiet" in request.POST:
        return HttpResponse(sentence, status=404, content_type="text/plain")
    return render(request, project, "project/gone.html", {"sentence": sentence}, status=404)


def render(
    request: HttpRequest,
    project: Project,
    template: str,
    context: dict[str, Any] | None = None,
    *,
    section: Section | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a page of a project with its menu; templates extend `project/base.html`."""
    allowed = access.capabilities(request.user, project)
    sections = sorted(_sections.values(), key=lambda each: each.order)
    shared = {
        "project": project,
        "section": section,
        "sections": [
            {
                "title": each.title,
                "url": reverse(each.name, args=[project.slug]),
                "here": each == section,
            }
            for each in sections
            if each.capability in allowed
        ],
        "may": {str(capability): capability in allowed for capability in Capability},
    }
    return render_template(request, template, shared | (context or {}), status=status)

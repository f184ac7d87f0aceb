"""Make a new project: a name, and who is to answer."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache

from labeling import access, projects
from labeling.models import Project
from labeling.project_pages import languages
from labeling.projects import Audience

AUDIENCES = [
    (Audience.ME, "Only me", "You answer alone: one answer is enough for a label."),
    (Audience.TEAM, "My team", "Those whom you invite by a link: two of them must agree."),
    (Audience.PUBLIC, "Everybody", "It stands on the first page once you publish it."),
]


class NewProjectForm(forms.Form):
    """Ask what is needed to begin; everything else has a default."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs={"dir": "auto"}))
    description = forms.CharField(
        max_length=4_000,
        required=False,
        label="In a sentence",
        help_text="What it is about; those who answer read it.",
        widget=forms.TextInput(attrs={"dir": "auto"}),
    )
    language = forms.ChoiceField(
        choices=languages.choices, initial="en", help_text="In which people are asked."
    )
    audience = forms.ChoiceField(
        choices=[(audience, title) for audience, title, _ in AUDIENCES],
        initial=Audience.TEAM,
        widget=forms.RadioSelect,
    )

    def create(self, request: HttpRequest) -> Project | None:
        """Create the project; None where the service refuses, with its sentences in the form."""
        given: dict[str, Any] = self.cleaned_data
        audience = Audience(given.pop("audience"))
        try:
            return projects.create(by=request.user, audience=audience, **given)  # type: ignore[arg-type]
        except projects.Invalid as error:
            for field, sentences in error.errors.items():
                for sentence in sentences:
                    self.add_error(field if field in self.fields else None, sentence)
            return None


@never_cache
@login_required
def new_project(request: HttpRequest) -> HttpResponse:
    """Show the form; make the draft and go to it."""
    if not access.may_create(request.user):
        raise PermissionDenied("Your account may not make projects: ask whoever runs this site.")
    form = NewProjectForm(request.POST or None, label_suffix="")
    if form.is_valid() and (project := form.create(request)):
        return redirect(project)
    chosen = form["audience"].value()
    context = {
        "form": form,
        "fields": [form["name"], form["description"], form["language"]],
        "audiences": [
            {"value": str(value), "title": title, "text": text, "chosen": str(value) == str(chosen)}
            for value, title, text in AUDIENCES
        ],
    }
    return render(request, "project/new.html", context)


urlpatterns = [path("new/", new_project, name="project-new")]

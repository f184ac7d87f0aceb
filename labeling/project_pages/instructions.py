"""Instructions of a project: how to answer, and how many practice questions come first."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path

from labeling import practice, projects
from labeling.access import Capability
from labeling.models import Project
from labeling.project_pages import base
from labeling.project_pages.concepts import SECTION
from labeling.projects import Conflict, ProjectError

PRACTICE_MAX = 10
LENGTH = 4_000


class InstructionsForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    instructions = forms.CharField(
        max_length=LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 12, "dir": "auto"}),
        help_text="An empty line begins a paragraph; lines that begin with “- ” or “1. ” are a "
        "list. Annotators find them behind “Help”, at any time.",
    )
    practice_questions = forms.IntegerField(
        min_value=0,
        max_value=PRACTICE_MAX,
        help_text="Before an annotator's first question, with feedback; 0: none. They are made of "
        f"gold, of concepts that have {practice.GOLD_LEAST} or more, which then measures nobody.",
    )


@base.page(Capability.MANAGE)
def instructions(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the instructions as they are written and as they are read, and save them."""
    names = ("version", "instructions", "practice_questions")
    initial = {name: getattr(project, name) for name in names}
    form = InstructionsForm(request.POST or None, initial=initial, label_suffix="")
    if request.method == "POST" and form.is_valid() and _save(request, project, form):
        messages.success(request, "Saved. Annotators see it at once.")
        return redirect("project-instructions", project.slug)
    text = form.data.get("instructions", "") if form.is_bound else project.instructions
    context = {"form": form, "text": text, "practice": len(practice.questions(project))}
    status = 400 if form.is_bound else 200
    template = "project/instructions.html"
    return base.render(request, project, template, context, section=SECTION, status=status)


def _save(request: HttpRequest, project: Project, form: InstructionsForm) -> bool:
    """Save a valid form; return False where it says now what was wrong."""
    values: dict[str, Any] = form.cleaned_data
    values["instructions"] = values["instructions"].replace("\r\n", "\n").strip()
    try:
        projects.edit(project=project, by=cast(User, request.user), **values)
    except Conflict as error:
        form.add_error(None, str(error))
        if error.stored.instructions != values["instructions"]:
            now = error.stored.instructions or "(empty)"
            form.add_error("instructions", f"It is now: {now}")
        form.data = {**form.data.dict(), "version": str(error.stored.version)}  # type: ignore[attr-defined]
        return False
    except ProjectError as error:
        form.add_error(None, str(error))
        return False
    return True


urlpatterns = [path("concepts/instructions/", instructions, name="project-instructions")]

"""A project's settings, and the steps of its life: publish, archive and back."""

from copy import copy
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_POST

from labeling import project_stats, projects
from labeling.access import Capability
from labeling.models import Event, Project
from labeling.project_pages import base, languages

SECTION = base.register(base.Section("project-settings", "Settings", 90, Capability.MANAGE))
ABOUT = ("name", "description", "attribution", "language")
THRESHOLDS = (
    "settle_at",
    "answers_min",
    "answers_cap",
    "answer_cost",
    "random_share",
    "import_confidence",
    "retrain_after",
)
_TEXT = {"dir": "auto"}
_SHARE = {"min": 0, "max": 1, "step": "any"}


class SettingsForm(forms.ModelForm):  # type: ignore[type-arg]
    """The settings of a project; each field remembers what it was when the page was opened."""

    language = forms.ChoiceField()

    class Meta:
        model = Project
        fields = [*ABOUT, "private", *THRESHOLDS]
        labels = projects.LABELS
        help_texts: ClassVar[dict[str, str]] = {
            "description": "Those who answer read it on the first page.",
            "attribution": "Shown to those who answer, with the licence if there is one.",
            "language": "In which people are asked.",
            "private": "Otherwise everybody may, once the project is published.",
            "settle_at": "A probability: at 0.95, one certain label in twenty may be wrong.",
            "answers_min": "No label is certain on fewer answers; a model that clearly says the "
            "same stands for one of them.",
            "answers_cap": "If people still disagree then, you decide it, or nobody does.",
            "answer_cost": "From 0 to 1. At 0 every question is asked until the last answer "
            "allowed; the higher, the sooner a hard one is given up for new ones.",
            "random_share": "From 0 to 1. Questions drawn at random show how often labels are "
            "right; all others are asked where an answer is worth most.",
            "import_confidence": "A probability: how often the keywords and folders that came "
            "with the pictures are right.",
            "retrain_after": "0: never by itself.",
        }
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "name": forms.TextInput(attrs=_TEXT),
            "description": forms.Textarea(attrs={"rows": 3, **_TEXT}),
            "attribution": forms.Textarea(attrs={"rows": 2, **_TEXT}),
            "settle_at": forms.NumberInput(attrs={"min": 0.5, "max": 0.9999, "step": "any"}),
            "answer_cost": forms.NumberInput(attrs=_SHARE),
            "random_share": forms.NumberInput(attrs=_SHARE),
            "import_confidence": forms.NumberInput(attrs=_SHARE),
        }

    def __init__(self, data: QueryDict | None, project: Project) -> None:
        super().__init__(
            data, instance=copy(project), label_suffix=""
        )  # what is typed is not the project's yet
        choices = languages.choices(project.language)
        self.fields["language"].choices = choices  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.show_hidden_initial = True

    @property
    def changes(self) -> dict[str, Any]:
        """What the editor changed, whatever anybody else changed meanwhile."""
        return {name: self.cleaned_data[name] for name in self.changed_data}

    def refuse(self, refusal: projects.Invalid) -> None:
        """Show the service's sentences at their fields."""
        for name, sentences in refusal.errors.items():
            for sentence in sentences:
                self.add_error(name if name in self.fields else None, sentence)

    def on_top_of(self, stored: Project) -> "SettingsForm":
        """Return the form with what the editor typed, and all else as somebody else saved it."""
        data = cast(QueryDict, self.data).copy()
        for name in self.fields:
            value = getattr(stored, name)
            data[f"initial-{name}"] = str(value)
            if name not in self.changed_data:
                data[name] = str(value)
                if value is False:
                    del data[name]  # as a browser sends a box that is not ticked
        return SettingsForm(data, stored)

    def changed_meanwhile(self, stored: Project) -> list[tuple[str, Any]]:
        """Return (label, value) of what somebody else changed since the page was opened."""
        return [
            (str(self[name].label), getattr(stored, name))
            for name in self.fields
            if _plain(self._seen(name)) != _plain(getattr(stored, name))
        ]

    def _seen(self, name: str) -> Any:
        """Return what a field was when the page was opened; None where that cannot be read."""
        try:
            return self.fields[name].to_python(self.data.get(f"initial-{name}", ""))
        except forms.ValidationError:
            return None


def _plain(value: Any) -> Any:
    """Return a text with the line ends that browsers change; anything else as it is."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


@base.page(Capability.MANAGE)
def settings(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the settings and save them; of two editors at once, the second is shown that."""
    form = SettingsForm(request.POST if request.method == "POST" else None, project)
    context: dict[str, Any] = {}
    status = 200
    if form.is_valid():
        try:
            version = _version(request)
            projects.edit(project=project, by=request.user, version=version, **form.changes)  # type: ignore[arg-type]
        except projects.Invalid as refusal:
            form.refuse(refusal)
        except projects.Conflict as conflict:
            project, status = conflict.stored, 409
            context["meanwhile"] = form.changed_meanwhile(project)
            context["event"] = project.events.filter(kind=Event.Kind.PROJECT).first()
            form = form.on_top_of(project)
        else:
            messages.success(request, "Saved.")
            return redirect("project-settings", project.slug)
    context |= {
        "form": form,
        "about": [form[name] for name in ABOUT],
        "thresholds": [form[name] for name in THRESHOLDS],
        "thresholds_open": bool(set(THRESHOLDS) & form.errors.keys()) if form.is_bound else False,
        "refusal": projects.nothing_to_ask(project),
        "texts": project_stats.texts(project),
    }
    return base.render(
        request, project, "project/settings.html", context, section=SECTION, status=status
    )


def _version(request: HttpRequest) -> int:
    """Return the version that the editor saw; an impossible one where it cannot be read."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


_STEPS = {
    "publish": (projects.publish, "Published: people are asked from now on."),
    "unpublish": (projects.unpublish, "It is a draft again: nobody is asked."),
    "archive": (projects.archive, "Archived: it asks nothing and keeps everything."),
    "reopen": (projects.reopen, "Reopened."),
}


@require_POST
@base.page(Capability.MANAGE)
def take_step(request: HttpRequest, project: Project, step: str) -> HttpResponse:
    """Publish a project, archive it, or take either back; then show it."""
    take, sentence = _STEPS[step]
    try:
        take(project=project, by=request.user)  # type: ignore[arg-type]
    except projects.ProjectError as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, sentence)
    return redirect(project)


urlpatterns = [
    path("settings/", settings, name="project-settings"),
    *(path(f"{step}/", take_step, {"step": step}, f"project-{step}") for step in _STEPS),
]

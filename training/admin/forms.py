"""The form that starts runs."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser

from labeling.models import Project, Snapshot
from training import retraining, run_requests, runs
from training.engine.presets import PRESETS, RECIPES
from training.models import SEED_LIMIT, Model, Run
from training.run_requests import RunRequest

SNAPSHOTS_MAX = 50  # to choose from
WHOLE_LOOP = ",".join(retraining.RECIPES)


class TrainForm(forms.Form):
    """What to train on, by which recipe and preset, and with which options."""

    source = forms.ChoiceField(label="Learn from")
    include_generated = forms.BooleanField(
        required=False,
        label="With pictures that models drew",
        help_text="Only where a snapshot is frozen now.",
    )
    recipe_and_preset = forms.ChoiceField(label="Recipe, preset", initial=f"{WHOLE_LOOP}/cpu")
    clip = forms.ChoiceField(
        label="Texts read by",
        required=False,
        help_text="A CLIP of the project's own also lets pictures without any text take part. "
        "For recipes that draw, except lora.",
    )
    options = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 40, "spellcheck": "false"}),
        help_text="In place of the preset's, one a line: <code>steps=5000</code>; lora needs "
        "<code>base=</code>, a folder of Stable Diffusion or its name on the hub. Of two recipes, "
        "the second takes them.",
    )
    seed = forms.IntegerField(
        min_value=0, max_value=SEED_LIMIT - 1, initial=0, help_text="The same seed repeats."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._set_choices("source", [("Freeze a snapshot now", _projects()), _frozen()])
        self._set_choices("recipe_and_preset", _presets())
        self._set_choices("clip", [("", _default_encoder()), *_clips()])

    def _set_choices(self, name: str, choices: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean_source(self) -> RunRequest:
        """Return the chosen project or snapshot, by its name in a request."""
        kind, _, number = self.cleaned_data["source"].partition(":")
        if kind == "project":
            return {"project": Project.objects.get(pk=number)}
        return {"snapshot": Snapshot.objects.select_related("project").get(pk=number)}

    def clean_clip(self) -> Model | None:
        """Return the chosen text encoder; None for the default one."""
        number = self.cleaned_data["clip"]
        return Model.objects.get(pk=number) if number else None

    def clean_options(self) -> dict[str, Any]:
        """Parse `name=value`, one a line."""
        lines = self.cleaned_data["options"].split("\n")
        try:
            return dict(run_requests.parse_option(line) for line in lines if line.strip())
        except runs.RunError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        """Check the options by the recipe that gets them: the last one."""
        data = super().clean() or self.cleaned_data
        if "options" in data and "recipe_and_preset" in data:
            recipe = data["recipe_and_preset"].partition("/")[0].rpartition(",")[2]
            try:
                run_requests.check_options(recipe, data["options"])
            except runs.RunError as error:
                self.add_error("options", str(error))
        return data

    def requests(self, by: AbstractBaseUser | None) -> list[RunRequest]:
        """Return the runs to start, in order: one a recipe. The last one gets the options."""
        data = self.cleaned_data
        source: RunRequest = data["source"]
        recipes, _, preset = data["recipe_and_preset"].partition("/")
        requests: list[RunRequest] = [
            {
                **source,
                "recipe": recipe,
                "preset": preset,
                "seed": data["seed"],
                "include_generated": data["include_generated"],
                "trigger": Run.Trigger.ADMIN,
                "requested_by": by,
            }
            for recipe in recipes.split(",")
        ]
        requests[-1] |= {"options": data["options"], "clip": data["clip"]}
        return requests


def _presets() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return a group of choices for each recipe, and one for the whole loop."""
    shared = [name for name in PRESETS["clip"] if name in PRESETS["diffusion"]]
    both = [
        (f"{WHOLE_LOOP}/{name}", f"both, {name}: {PRESETS['diffusion'][name].about}")
        for name in shared
    ]
    groups = [("clip, then diffusion: the whole loop", both)]
    for recipe, about in RECIPES.items():
        presets = [
            (f"{recipe}/{name}", f"{recipe}, {name}: {preset.about}")
            for name, preset in PRESETS[recipe].items()
        ]
        groups.append((f"{recipe}: {about}", presets))
    return groups


def _default_encoder() -> str:
    return settings.CLIP_MODEL or "the sentence encoder"


def _clips() -> list[tuple[str, str]]:
    current = Model.objects.filter(recipe="clip", current=True).select_related("project")
    return [(str(clip.pk), f"{clip}, the current one of {clip.project}") for clip in current]


def _projects() -> list[tuple[str, str]]:
    return [
        (f"project:{project.pk}", f"a new snapshot of {project.name}")
        for project in Project.objects.all()
    ]


def _frozen() -> tuple[str, list[tuple[str, str]]]:
    ready = Snapshot.objects.filter(state=Snapshot.State.READY).select_related("project")
    snapshots = [
        (
            f"snapshot:{s.pk}",
            f"{s}: {s.counts.get('images', '?')} pictures, {s.created_at:%d %b %H:%M}",
        )
        for s in ready[:SNAPSHOTS_MAX]
    ]
    return "Frozen before", snapshots

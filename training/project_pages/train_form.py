"""The form that starts runs of a project."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser

from labeling.models import Project, Snapshot
from training import readiness, retraining, run_requests, runs
from training.engine.presets import PRESETS, RECIPES, SMOKE, goes_on
from training.models import SEED_LIMIT, Model, Run
from training.run_requests import RunRequest

SNAPSHOTS_MAX = 50  # to choose from
WHOLE_LOOP = ",".join(retraining.RECIPES)
NOW = "now"  # freeze a snapshot


class TrainForm(forms.Form):
    """What to train on, by which recipe and preset, and with which options."""

    recipe_and_preset = forms.ChoiceField(label="Recipe, preset")
    source = forms.ChoiceField(label="Learn from")
    include_generated = forms.BooleanField(
        required=False,
        initial=True,
        label="With what people said of drawings",
        help_text="For diffusion, where a snapshot is frozen now: drawings that people have judged "
        "teach by how well they show their prompts.",
    )
    clip = forms.ChoiceField(
        label="Texts read by",
        required=False,
        help_text="A CLIP of the project's own also lets pictures without any text take part. "
        "For recipes that draw, except lora.",
    )
    options = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 40, "spellcheck": "false"}),
        help_text="In place of the preset's, one a line, such as steps=5000; lora needs base=, a "
        "folder of Stable Diffusion or its name on the hub. Of two recipes, the second takes them.",
    )
    seed = forms.IntegerField(
        min_value=0, max_value=SEED_LIMIT - 1, initial=0, help_text="The same seed repeats."
    )
    anyway = forms.BooleanField(required=False, label="Train all the same")

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.project = project
        self.fields["recipe_and_preset"].initial = _first_choice(project)
        self._set_choices("source", [(NOW, "the labels of now: a new snapshot"), *_frozen(project)])
        self._set_choices("recipe_and_preset", _presets())
        self._set_choices("clip", [("", _default_encoder()), *_clips(project)])

    def _set_choices(self, name: str, choices: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean_source(self) -> RunRequest:
        """Return the project or one of its snapshots, by its name in a request."""
        number = self.cleaned_data["source"]
        if number == NOW:
            return {"project": self.project}
        ready = Snapshot.objects.select_related("project").filter(project=self.project)
        return {"snapshot": ready.get(pk=number)}

    def clean_clip(self) -> Model | None:
        """Return the chosen text encoder; None for the default one."""
        number = self.cleaned_data["clip"]
        return Model.objects.get(pk=number, project=self.project) if number else None

    def clean_options(self) -> dict[str, Any]:
        """Parse `name=value`, one a line."""
        lines = self.cleaned_data["options"].split("\n")
        try:
            return dict(run_requests.parse_option(line) for line in lines if line.strip())
        except runs.RunError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        """Check the options by the last recipe, which gets them, and what there is to learn."""
        data = super().clean() or self.cleaned_data
        if "options" in data and "recipe_and_preset" in data:
            try:
                run_requests.check_options(self.recipes[-1], data["options"])
            except runs.RunError as error:
                self.add_error("options", str(error))
        if not self.errors and self.warning and not data.get("anyway"):
            self.add_error("anyway", self.warning)
        return data

    @property
    def initial_preset(self) -> str:
        """Return the recipe and preset that are chosen at first."""
        field = self.fields["recipe_and_preset"]
        return str(self.get_initial_for_field(field, "recipe_and_preset"))

    @property
    def recipes(self) -> list[str]:
        """Return the chosen recipes, in the order in which they train."""
        return str(self.cleaned_data["recipe_and_preset"]).partition("/")[0].split(",")

    @property
    def preset(self) -> str:
        """Return the chosen preset."""
        return str(self.cleaned_data["recipe_and_preset"]).partition("/")[2]

    @property
    def warning(self) -> str:
        """Return what is missing to learn from; empty where nothing is."""
        if self.preset == SMOKE:
            return ""
        if goes_on(self.recipes[-1], self.preset):
            return readiness.few_preferences(self.project)
        snapshot = self.cleaned_data["source"].get("snapshot")
        known = readiness.of_snapshot(snapshot) if snapshot else readiness.of_project(self.project)
        return readiness.warning(known, self.recipes[-1])

    def requests(self, by: AbstractBaseUser | None) -> list[RunRequest]:
        """Return the runs to start, in order: one a recipe. The last one gets the options."""
        data = self.cleaned_data
        source: RunRequest = data["source"]
        requests: list[RunRequest] = [
            {
                **source,
                "recipe": recipe,
                "preset": self.preset,
                "seed": data["seed"],
                "include_generated": data["include_generated"],
                "trigger": Run.Trigger.PAGE,
                "requested_by": by,
                "anyway": data["anyway"],
            }
            for recipe in self.recipes
        ]
        requests[-1] |= {"options": data["options"], "clip": data["clip"]}
        return requests


def _first_choice(project: Project) -> str:
    """Return the whole loop, or what learns from pairs where there is nothing else."""
    preset = settings.RETRAIN_PRESET
    known = readiness.of_project(project)
    if known.pairs and known.pairs == known.pictures:
        return f"pairs/{preset if preset in PRESETS['pairs'] else 'cpu'}"
    shared = preset in PRESETS["clip"] and preset in PRESETS["diffusion"]
    return f"{WHOLE_LOOP}/{preset if shared else 'cpu'}"


def presets() -> set[str]:
    """Return the values of all recipes and presets that can be chosen."""
    return {value for _, group in _presets() for value, _ in group}


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


def _clips(project: Project) -> list[tuple[str, str]]:
    current = Model.objects.filter(project=project, recipe="clip", current=True)
    return [(str(clip.pk), f"{clip}, the current one") for clip in current]


def _frozen(project: Project) -> list[tuple[str, str]]:
    ready = Snapshot.objects.filter(project=project, state=Snapshot.State.READY)
    return [
        (
            str(s.pk),
            f"snapshot no. {s.pk}: {s.counts.get('images', '?')} pictures, {s.moment:%d %b %H:%M}",
        )
        for s in ready[:SNAPSHOTS_MAX]
    ]

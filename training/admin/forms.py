"""What a trainer is asked before a run begins."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser

from labeling.models import Project, Snapshot
from training import runs
from training.engine.presets import PRESETS, RECIPES
from training.models import Model, Run

RECENT = 50
BOTH = "clip,diffusion"


class TrainForm(forms.Form):
    source = forms.ChoiceField(label="Learn from")
    include_generated = forms.BooleanField(
        required=False,
        label="With pictures that models drew",
        help_text="Only where a snapshot is frozen now.",
    )
    what = forms.ChoiceField(label="Recipe, preset", initial=f"{BOTH}/cpu")
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
        min_value=0, max_value=runs.SEED_LIMIT - 1, initial=0, help_text="The same seed repeats."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choose("source", [("Freeze a snapshot now", _projects()), _frozen()])
        self._choose("what", _presets())
        self._choose("clip", [("", _usual_reader()), *_clips()])

    def _choose(self, name: str, choices: Any) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean_source(self) -> runs.Wish:
        """The project or the snapshot, as the argument that `jobs.start` calls it by."""
        kind, _, number = self.cleaned_data["source"].partition(":")
        if kind == "project":
            return {"project": Project.objects.get(pk=number)}
        return {"snapshot": Snapshot.objects.select_related("project").get(pk=number)}

    def clean_clip(self) -> Model | None:
        number = self.cleaned_data["clip"]
        return Model.objects.get(pk=number) if number else None

    def clean_options(self) -> dict[str, Any]:
        lines = self.cleaned_data["options"].splitlines()
        try:
            return dict(runs.read_option(line) for line in lines if line.strip())
        except runs.RunError as error:
            raise forms.ValidationError(str(error)) from None

    def wishes(self, by: AbstractBaseUser | None) -> list[runs.Wish]:
        """What `jobs.start` is to be asked for, in this order."""
        asked = self.cleaned_data
        source: runs.Wish = asked["source"]
        recipes, _, preset = asked["what"].partition("/")
        wishes: list[runs.Wish] = [
            {
                **source,
                "recipe": recipe,
                "preset": preset,
                "seed": asked["seed"],
                "include_generated": asked["include_generated"],
                "trigger": Run.Trigger.ADMIN,
                "requested_by": by,
            }
            for recipe in recipes.split(",")
        ]
        wishes[-1] |= {"options": asked["options"], "clip": asked["clip"]}
        return wishes


def _presets() -> list[tuple[str, list[tuple[str, str]]]]:
    """A group a recipe, and one for the two that the loop needs, with the presets of both."""
    shared = [name for name in PRESETS["clip"] if name in PRESETS["diffusion"]]
    both = [
        (f"{BOTH}/{name}", f"both, {name}: {PRESETS['diffusion'][name].about}") for name in shared
    ]
    groups = [("clip, then diffusion: the whole loop", both)]
    for recipe, about in RECIPES.items():
        presets = [
            (f"{recipe}/{name}", f"{recipe}, {name}: {preset.about}")
            for name, preset in PRESETS[recipe].items()
        ]
        groups.append((f"{recipe}: {about}", presets))
    return groups


def _usual_reader() -> str:
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
        for s in ready[:RECENT]
    ]
    return "Frozen before", snapshots

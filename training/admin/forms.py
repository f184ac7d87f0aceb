"""What a trainer is asked before a run begins."""

from typing import Any

from django import forms

from labeling.models import Project, Snapshot
from training import runs

RECENT = 50
RECIPES = {
    "clip,diffusion": "both: a CLIP, then pictures",
    "clip": "clip: which text fits which picture",
    "diffusion": "diffusion: draws pictures from text",
}
PRESETS = {
    "cpu": "cpu: minutes, on two processor cores",
    "smoke": "smoke: seconds, only to see that everything works",
}


class TrainForm(forms.Form):
    source = forms.ChoiceField(label="Learn from")
    include_generated = forms.BooleanField(
        required=False,
        label="With pictures that models drew",
        help_text="Only where a snapshot is frozen now.",
    )
    recipe = forms.ChoiceField(choices=list(RECIPES.items()))
    preset = forms.ChoiceField(choices=list(PRESETS.items()))
    seed = forms.IntegerField(
        min_value=0, max_value=runs.SEED_LIMIT - 1, initial=0, help_text="The same seed repeats."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["source"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("Freeze a snapshot now", _projects()), ("Frozen before", _snapshots())]

    def clean_source(self) -> dict[str, Project | Snapshot]:
        """The project or the snapshot, as the argument that `jobs.start` calls it by."""
        kind, _, number = self.cleaned_data["source"].partition(":")
        if kind == "project":
            return {"project": Project.objects.get(pk=number)}
        return {"snapshot": Snapshot.objects.select_related("project").get(pk=number)}

    @property
    def recipes(self) -> list[str]:
        names: list[str] = self.cleaned_data["recipe"].split(",")
        return names


def _projects() -> list[tuple[str, str]]:
    return [
        (f"project:{project.pk}", f"a new snapshot of {project.name}")
        for project in Project.objects.all()
    ]


def _snapshots() -> list[tuple[str, str]]:
    ready = Snapshot.objects.filter(state=Snapshot.State.READY).select_related("project")
    return [
        (
            f"snapshot:{s.pk}",
            f"{s}: {s.counts.get('images', '?')} pictures, {s.created_at:%d %b %H:%M}",
        )
        for s in ready[:RECENT]
    ]

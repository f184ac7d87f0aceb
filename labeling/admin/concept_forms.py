"""Forms about concepts: one concept, a row of the list, and which one stays of several."""

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import ValidationError

from labeling import concepts
from labeling.concepts import ConceptError
from labeling.models import Concept

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Concept]
else:
    ModelForm = forms.ModelForm


class Aliases(forms.CharField):
    """A list of names, one a line; a line is cut at its commas unless it was an alias before."""

    widget = forms.Textarea(attrs={"rows": 4, "class": "vTextField"})

    def __init__(self, **options: Any) -> None:
        options.pop("base_field", None)
        super().__init__(**options, strip=False)

    def prepare_value(self, value: Any) -> str:
        return "\n".join(value) if isinstance(value, list) else value or ""

    def to_python(self, value: Any) -> Any:
        lines = [line.strip() for line in (value or "").splitlines()]
        earlier = set(self.initial or [])
        parts = [[line] if line in earlier else line.split(",") for line in lines]
        return [part.strip() for line in parts for part in line if part.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(list(initial or []) != self.to_python(data))


class ConceptForm(ModelForm):
    """A concept's form: what is wrong with its names is said beside them."""

    aliases = Aliases(
        required=False,
        help_text="Other names for it, one a line or with commas between them: a keyword that "
        "equals one counts for the concept.",
    )
    keep_name = forms.BooleanField(
        required=False,
        initial=True,
        label="Keep the old name as an alias",
        help_text="If the name is changed.",
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "phrase" in self.fields:
            self.fields["phrase"].required = False
            self.fields[
                "phrase"
            ].help_text = (
                'With its article: "a bicycle". Empty: the name, in English with its article.'
            )
        if self.instance.pk and "aliases" in self.fields:
            self.fields["aliases"].initial = self.instance.aliases

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        exists = self.instance.pk is not None
        project = self.instance.project if exists else data.get("project")
        if project is None or "name" not in data:
            return data
        aliases = [*data.get("aliases", [])]
        if exists and data.get("keep_name"):
            aliases.append(Concept.objects.values_list("name", flat=True).get(pk=self.instance.pk))
        try:
            concepts.validate(
                project=project,
                name=data["name"],
                phrase=data.get("phrase", ""),
                definition=data.get("definition", ""),
                aliases=aliases,
                of=self.instance if exists else None,
            )
        except ConceptError as error:
            self.add_error("name" if str(error).startswith("The name") else None, str(error))
        return data


class ConceptRowForm(ModelForm):
    """A row of the list, whose fields are named for screen readers by their columns."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for name, field in self.fields.items():
            field.widget.attrs["aria-label"] = f"{self.instance}: {field.label or name}"

    def clean(self) -> dict[str, Any]:
        if self.changed_data and self.instance.merged_into is not None:
            raise ValidationError(f"It was merged into “{self.instance.merged_into}”.")
        return super().clean() or {}


class MergeForm(forms.Form):
    """Which concept stays: one of several that were chosen, or for a single one any other."""

    into = forms.ModelChoiceField(Concept.objects.none(), empty_label=None)

    def __init__(self, *args: Any, chosen: list[str], **options: Any) -> None:
        super().__init__(*args, **options)
        ids = {int(pk) for pk in chosen if pk.isdecimal() and len(pk) < 19}
        rows = Concept.objects.filter(pk__in=ids, merged_into=None).select_related("project")
        self.chosen = list(rows)
        into = cast("forms.ModelChoiceField[Concept]", self.fields["into"])
        if len(self.chosen) == 1:
            others = self.chosen[0].project.concepts.filter(merged_into=None)
            into.queryset = others.exclude(pk=self.chosen[0].pk)
            into.label = "Into"
        else:
            answers = {concept.pk: concepts.answers_count(concept) for concept in self.chosen}
            into.queryset = rows
            into.widget = forms.RadioSelect()
            into.choices = [(c.pk, _described(c, answers[c.pk])) for c in self.chosen]
            into.initial = max(answers, key=answers.__getitem__, default=None)
            into.label = "Which one stays?"

    def problem(self) -> str:
        """Say why these concepts cannot be merged, whichever stays; empty if they can."""
        if not self.chosen:
            return "Choose the concepts to be merged: those are gone, or were merged already."
        if len({concept.project_id for concept in self.chosen}) > 1:
            return "Only concepts of one project can be merged: nothing was changed."
        return ""


def _described(concept: Concept, answers: int) -> str:
    """Return a concept's name with what tells it from the others."""
    aliases = f", also “{'”, “'.join(concept.aliases)}”" if concept.aliases else ""
    noun = "answer" if answers == 1 else "answers"
    off = "" if concept.active else ", switched off"
    return f"{concept} ({concept.phrase}{aliases}): {answers:,} {noun}{off}"

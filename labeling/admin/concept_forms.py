"""Forms about concepts: one concept, and a row of the list."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError

from labeling import concepts
from labeling.concepts import ConceptError
from labeling.models import Concept
from labeling.project_pages.concept_forms import Aliases

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Concept]
else:
    ModelForm = forms.ModelForm


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

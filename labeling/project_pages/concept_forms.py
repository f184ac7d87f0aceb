"""Forms about concepts: one concept, a list of new ones, and which one stays of several."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError

from labeling import concepts, languages
from labeling.concepts import ConceptError
from labeling.concepts.names import DEFINITION_LENGTH, NAME_LENGTH, PHRASE_LENGTH, PHRASES_MAX
from labeling.models import Concept, Project
from labeling.numbers import parse_id

EMPTY_ROWS = 2  # of phrases, to be filled
LIST_LENGTH = 250_000  # characters of a thousand lines


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
        return [part.strip() for part in parts for part in part if part.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(list(initial or []) != self.to_python(data))


class PhraseForm(forms.Form):
    """A phrase in another language."""

    language = forms.CharField(max_length=languages.LENGTH, required=False)
    phrase = forms.CharField(max_length=PHRASE_LENGTH, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("phrase") and not data.get("language"):
            raise ValidationError("Say which language this is: write a tag like de, pt-BR or ar.")
        return data


class ConceptForm(forms.Form):
    """What an owner says of a concept; what is wrong is said beside it."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    name = forms.CharField(max_length=NAME_LENGTH, widget=forms.TextInput(attrs={"dir": "auto"}))
    keep_name = forms.BooleanField(
        required=False, label="If the name changes, keep the old one as an alias"
    )
    phrase = forms.CharField(
        max_length=PHRASE_LENGTH,
        required=False,
        widget=forms.TextInput(attrs={"dir": "auto"}),
        help_text="As it stands in the question, with its article where the language has one.",
    )
    definition = forms.CharField(
        max_length=DEFINITION_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        help_text="A sentence: what counts as one, and what does not. Annotators read it before "
        "their first question about it.",
    )
    aliases = Aliases(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
        label="Other names",
        help_text="One a line. A keyword that equals one counts for the concept.",
    )
    active = forms.BooleanField(required=False, label="Ask people about it")
    value = forms.FloatField(
        min_value=0.0,
        max_value=1e6,
        label="Weight",
        help_text="How much its labels are worth when questions are chosen: 2 is twice as much.",
    )

    def __init__(self, data: Any = None, *, concept: Concept) -> None:
        names = ("version", "name", "phrase", "definition", "aliases", "active", "value")
        initial = {name: getattr(concept, name) for name in names}
        super().__init__(data, initial=initial | {"keep_name": True}, label_suffix="")
        self.concept = concept
        aliases = cast(Aliases, self.fields["aliases"])
        aliases.initial = concept.aliases
        rows = list(concept.phrases.values("language", "phrase"))
        factory = forms.formset_factory(PhraseForm, extra=EMPTY_ROWS, max_num=PHRASES_MAX)
        self.phrases: Any = factory(data, initial=rows, prefix="phrases")

    def is_valid(self) -> bool:
        return self.phrases.is_valid() and super().is_valid()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "name" not in data or not self.phrases.is_valid():
            return data
        kept = [self.concept.name] if data.get("keep_name") else []
        texts = {name: data[name] for name in ("phrase", "definition") if name in data}
        try:
            concepts.validate(
                project=self.concept.project,
                name=data["name"],
                aliases=[*data.get("aliases", []), *kept],
                phrases=self.translations(),
                of=self.concept,
                **{"phrase": "", **texts},
            )
        except ConceptError as error:
            self.add_error("name" if str(error).startswith("The name") else None, str(error))
        return data

    def translations(self) -> Mapping[str, str]:
        """Return the phrases by language. Raises ConceptError where a language has two."""
        phrases: dict[str, str] = {}
        for row in self.phrases.cleaned_data:
            language, phrase = row.get("language", ""), row.get("phrase", "")
            if phrase and language in phrases:
                raise ConceptError(f"There are two phrases for {language}: leave one.")
            if phrase:
                phrases[language] = phrase
        return phrases


class ListForm(forms.Form):
    """New concepts, one a line."""

    lines = forms.CharField(
        max_length=LIST_LENGTH,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
        label="New concepts, one a line",
    )


class ExclusionForm(forms.Form):
    """Another concept, of which an owner says whether one picture can show both."""

    other = forms.ModelChoiceField(
        Concept.objects.none(), label="Another concept", empty_label="Choose one"
    )

    def __init__(self, data: Any = None, *, concept: Concept) -> None:
        super().__init__(data, label_suffix="")
        others = concept.project.concepts.filter(merged_into=None).exclude(pk=concept.pk)
        cast("forms.ModelChoiceField[Concept]", self.fields["other"]).queryset = others


class MergeForm(forms.Form):
    """Which concept stays: one of several that were chosen, or for a single one any other."""

    into = forms.ModelChoiceField(Concept.objects.none(), empty_label=None)

    def __init__(
        self, *args: Any, chosen: list[str], project: Project | None = None, **options: Any
    ) -> None:
        """Offer the chosen concepts by their ids; project: where they must be, None: anywhere."""
        super().__init__(*args, **options)
        ids = set(map(parse_id, chosen))
        rows = Concept.objects.filter(pk__in=ids, merged_into=None).select_related("project")
        if project is not None:
            rows = rows.filter(project=project)
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

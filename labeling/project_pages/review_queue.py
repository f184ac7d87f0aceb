"""The questions that a reviewer sees, disagreements first, by what the address says."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import QuerySet

from labeling import provenance, review_order
from labeling.models import Concept, Project, Question
from labeling.review_order import Position, Questions

PAGE = 48


class Filters(forms.Form):
    """Filters of a project's questions, by the address; invalid values are named and ignored."""

    concept = forms.ModelChoiceField(
        Concept.objects.none(), required=False, empty_label="every concept"
    )
    state = forms.ChoiceField(
        choices=[("", "every state"), *Question.State.choices], required=False
    )
    kind = forms.ChoiceField(choices=[("", "every kind"), *Question.Kind.choices], required=False)
    source = forms.ChoiceField(
        choices=[("", "every source"), *Question.Source.choices], required=False
    )
    reason = forms.ChoiceField(
        choices=[("", "every reason"), *Question.Reason.choices], required=False, label="Stored as"
    )
    decided = forms.ChoiceField(
        choices=[
            ("", "to decide"),
            ("flagged", "flagged"),
            ("yes", "decided"),
            ("mine", "decided by me"),
            ("all", "all"),
        ],
        required=False,
        label="Review",
    )
    record = forms.ChoiceField(required=False, label="Import")
    vendor = forms.ChoiceField(required=False)
    batch = forms.ChoiceField(required=False)
    after = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)

    def __init__(
        self, data: Any, *, project: Project, user: AbstractBaseUser | AnonymousUser | None = None
    ) -> None:
        super().__init__(data, label_suffix="")
        self.project = project
        self.user = user
        listed = project.concepts.filter(merged_into=None)
        self.fields["concept"].queryset = listed  # type: ignore[attr-defined]
        offered = provenance.choices(project)
        records = [(str(each.pk), str(each)) for each in offered.records]
        self._offer("record", "every import", records)
        self._offer("vendor", "every vendor", [(each, each) for each in offered.vendors])
        self._offer("batch", "every batch", [(each, each) for each in offered.batches])
        self.is_valid()

    def _offer(self, name: str, every: str, choices: list[tuple[str, str]]) -> None:
        """Offer what there is to choose from; a field without is left out."""
        if choices:
            self.fields[name].choices = [("", every), *choices]  # type: ignore[attr-defined]
        else:
            del self.fields[name]

    def clean_after(self) -> Position | None:
        text = self.cleaned_data["after"]
        try:
            return Position.read(text) if text else None
        except ValueError as error:
            raise forms.ValidationError("This page is unknown: begin at the first.") from error

    @property
    def query(self) -> str:
        """Return these filters as a query string, without the page."""
        chosen = {
            name: value.pk if isinstance(value, Concept) else value
            for name, value in self.cleaned_data.items()
            if value and name != "after"
        }
        return urlencode(chosen)

    def questions(self) -> Questions:
        """Return the questions that these filters choose."""
        chosen = self.cleaned_data
        questions = Question.objects.filter(project=self.project)
        for name in ("concept", "state", "kind", "source", "reason"):
            if chosen.get(name):
                questions = questions.filter(**{name: chosen[name]})
        if chosen.get("concept"):
            questions = questions.filter(kind=Question.Kind.CONCEPT)
        return provenance.of_questions(
            self._of_review(questions),
            record=int(chosen.get("record") or 0),
            vendor=chosen.get("vendor") or "",
            batch=chosen.get("batch") or "",
        )

    def _of_review(self, questions: QuerySet[Question]) -> QuerySet[Question]:
        decided = self.cleaned_data.get("decided")
        if decided == "flagged":
            return review_order.flagged(questions, self.project)
        if decided == "mine":
            return questions.filter(decided_by=self.user.pk if self.user else None)
        if decided == "yes":
            return questions.filter(decided_by__isnull=False)
        if decided == "all":
            return questions
        if self.cleaned_data.get("state") == Question.State.GOLD:
            return questions.filter(decided_by=None)
        return questions.filter(verdict=None)  # gold is known, so it waits for nobody

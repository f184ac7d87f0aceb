"""Forms of a site that embeds a project's challenges."""

from datetime import timedelta
from typing import Any

from django import forms
from django.http import QueryDict

from labeling.captcha import sites
from labeling.models import Site

_OVERLAPS = {
    "1": "for a day",
    "7": "for a week",
    "30": "for 30 days",
    "0": "no longer: it ends at once",
}


class SiteForm(forms.Form):
    """Ask what a site is called, where it may be shown, and how hard it is to pass."""

    name = forms.CharField(
        label="Name of the site",
        max_length=sites.NAME_LENGTH,
        widget=forms.TextInput(attrs={"dir": "auto", "autocomplete": "off"}),
        help_text="Visitors see it.",
    )
    hosts = forms.CharField(
        label="Host names",
        max_length=20_000,
        widget=forms.Textarea(
            attrs={"rows": 3, "dir": "ltr", "spellcheck": "false", "autocapitalize": "none"}
        ),
        help_text="One a line, such as shop.example.com; *.example.com is all below example.com. "
        "The widget works nowhere else. Add localhost to try it on your own computer.",
    )
    difficulty = forms.ChoiceField(
        label="How hard it is to pass",
        choices=[(value, label.capitalize()) for value, label in Site.Difficulty.choices],
        initial=Site.Difficulty.NORMAL,
        widget=forms.RadioSelect,
    )
    daily_quota = forms.IntegerField(
        label="Attempts a day",
        initial=100_000,
        min_value=1,
        max_value=sites.MOST_A_DAY,
        help_text="That are begun from midnight to midnight (UTC) at most.",
    )
    fail_open = forms.BooleanField(
        label="Let everybody pass while nothing can be asked",
        required=False,
        help_text="That is while the project is closed to visitors or knows too few pictures. "
        "Ticked, everybody passes then, bots too; the figures say how many. Otherwise visitors are "
        "asked for a computation of their device alone. Once a day's attempts are used up, which "
        "an attacker can bring about, they are asked for that computation if it is ticked; "
        "otherwise nobody passes until the next day.",
    )

    def __init__(self, data: QueryDict | None = None, *, site: Site | None = None) -> None:
        initial: dict[str, Any] = {}
        if site is not None:
            names = ("name", "difficulty", "daily_quota", "fail_open")
            initial = {name: getattr(site, name) for name in names}
            initial["hosts"] = "\n".join(site.hosts)
        super().__init__(data, initial=initial, label_suffix="")

    def clean_hosts(self) -> list[str]:
        """Return the host names, which may stand between commas as well."""
        return str(self.cleaned_data["hosts"]).replace(",", "\n").splitlines()

    def refuse(self, refusal: sites.SiteError) -> None:
        """Show the service's sentence at its field."""
        self.add_error(refusal.field if refusal.field in self.fields else None, str(refusal))


class SecretForm(forms.Form):
    """Ask for how long the secret before stays valid."""

    days = forms.ChoiceField(
        label="The secret before stays valid", choices=list(_OVERLAPS.items()), initial="1"
    )

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")

    @property
    def overlap(self) -> timedelta:
        return timedelta(days=int(self.cleaned_data["days"]))

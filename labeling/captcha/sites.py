"""Sites that embed a project's challenges: make, change and find them, and their secrets."""

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import ADDITION
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from labeling import audit, prepared
from labeling.captcha import hosts as host_names
from labeling.models import Event, Project, Site, SiteSecret
from labeling.models.sites import SHOWN

MOST = 50  # of one project
NAME_LENGTH = 60
KEY_LENGTH = 36
MOST_A_DAY = 10_000_000  # attempts at one site
OVERLAP = timedelta(days=1)  # for which the secret before stays valid
LONGEST_OVERLAP = timedelta(days=30)
LONGEST_SECRET = 200

NAMES = {  # of settings, as the history names them
    "name": "name",
    "hosts": "host names",
    "difficulty": "difficulty",
    "daily_quota": "attempts a day",
    "fail_open": "whether it lets everybody pass while nothing can be asked",
}


class SiteError(ValueError):
    """A site cannot be like this: `field` is what is wrong, and the message says what to do."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class TooManySites(SiteError):
    """The project has as many sites as it may."""


def create(
    *,
    project: Project,
    by: User,
    name: str,
    hosts: Sequence[str],
    difficulty: str = Site.Difficulty.NORMAL,
    daily_quota: int = 100_000,
    fail_open: bool = False,
) -> tuple[Site, str]:
    """Make a site; return it with its secret, which is kept nowhere. Raises SiteError."""
    values = _checked(
        name=name,
        hosts=hosts,
        difficulty=difficulty,
        daily_quota=daily_quota,
        fail_open=fail_open,
    )
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if project.sites.count() >= MOST:
            raise TooManySites("name", f"A project has {MOST} sites at most.")
        site = Site.objects.create(project=project, created_by=by, **values)
        secret = _new_secret(site)
        _record(site, f"Added the site “{site}”: {', '.join(site.hosts)}.", by, action=ADDITION)
    return site, secret


def change(*, site: Site, by: User, active: bool | None = None, **changes: Any) -> Site:
    """Change settings of a site, by field, or switch it off or on; return it as it is now.

    While it is switched off, nothing is asked there and no token is valid. Raises SiteError.
    """
    values = _checked(**changes)
    with transaction.atomic():
        site = _locked(site)
        changed = [field for field, value in values.items() if getattr(site, field) != value]
        for field in changed:
            setattr(site, field, values[field])
        if changed:
            site.save(update_fields=changed)
            listed = ", ".join(NAMES[field] for field in changed)
            _record(site, f"Changed the site “{site}”: {listed}.", by)
        if active is not None and active != site.active:
            site.active = active
            site.save(update_fields=["active"])
            _record(site, f"Switched {'on' if active else 'off'} the site “{site}”.", by)
    return site


def rotate_secret(*, site: Site, by: User, overlap: timedelta = OVERLAP) -> str:
    """Give a site another secret, and return it. Raises SiteError.

    overlap: for which those before stay valid, so that servers are changed one after the other.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise SiteError("overlap", f"Choose between 0 and {LONGEST_OVERLAP.days} days.")
    with transaction.atomic():
        site, now = _locked(site), timezone.now()
        _end(site.secrets.all(), now + overlap)
        site.secrets.filter(expires_at__lte=now).delete()
        secret = _new_secret(site)
        until = "at once" if not overlap else f"on {now + overlap:%-d %B %Y at %H:%M} (UTC)"
        _record(site, f"Replaced the secret of the site “{site}”: the old one ends {until}.", by)
    return secret


def revoke_old_secrets(*, site: Site, by: User) -> None:
    """End at once what is left of secrets that were replaced. Done again, it changes nothing."""
    with transaction.atomic():
        site = _locked(site)
        if _end(site.secrets.filter(expires_at__isnull=False), timezone.now()):
            _record(site, f"Ended the old secrets of the site “{site}”.", by)


def find(key: str) -> Site | None:
    """Return the site of a key, with its project, unless it is switched off."""
    if len(key) > KEY_LENGTH or "\0" in key:
        return None
    return _with_project(prepared.first(Site, "WHERE key = %s AND active", [key]))


def secret_of(secret: str) -> SiteSecret | None:
    """Return the row of a secret that is valid now, with its site, unless that is switched off.

    It is looked for by its hash, of which nobody can choose the first letters: how long that takes
    tells nothing.
    """
    if len(secret) > LONGEST_SECRET:
        return None
    digest = SiteSecret.digest_of(secret)
    condition = "WHERE digest = %s AND (expires_at IS NULL OR expires_at > %s)"
    row = prepared.first(SiteSecret, condition, [digest, timezone.now()])
    if row is None or not hmac.compare_digest(row.digest, digest):
        return None
    site = prepared.first(Site, "WHERE id = %s AND active", [row.site_id])
    if site is None:
        return None
    row.site = site
    return row


def _with_project(site: Site | None) -> Site | None:
    """Give a site its project, by a statement that is prepared."""
    if site is None:
        return None
    project = prepared.first(Project, "WHERE id = %s", [site.project_id])
    if project is None:
        return None  # it has just been deleted
    site.project = project
    return site


def valid_secrets() -> QuerySet[SiteSecret]:
    """Return the secrets that have not ended."""
    return SiteSecret.objects.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))


def allows(site: Site, host: str) -> bool:
    """Return whether a site may be shown on the pages of a host, as a browser names it."""
    return host_names.is_among(host, site.hosts)


def _checked(**values: Any) -> dict[str, Any]:
    """Return settings as they are stored. Raises SiteError."""
    if unknown := values.keys() - NAMES.keys():
        raise SiteError(min(unknown), "This cannot be changed.")
    if "name" in values:
        values["name"] = _name(values["name"])
    if "hosts" in values:
        values["hosts"] = _hosts(values["hosts"])
    if values.get("difficulty", Site.Difficulty.NORMAL) not in Site.Difficulty.values:
        choices = ", ".join(Site.Difficulty.values)
        raise SiteError("difficulty", f"Choose one of {choices}.")
    if not 1 <= values.get("daily_quota", 1) <= MOST_A_DAY:
        raise SiteError("daily_quota", f"Choose between 1 and {MOST_A_DAY:,} attempts a day.")
    return values


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or not name.isprintable():
        raise SiteError("name", "Give the site a name: visitors see it.")
    if len(name) > NAME_LENGTH:
        raise SiteError("name", f"The name has {NAME_LENGTH} letters at most.")
    return name


def _hosts(hosts: Iterable[str]) -> list[str]:
    try:
        return host_names.cleaned(hosts)
    except host_names.HostError as error:
        raise SiteError("hosts", str(error)) from None


def _new_secret(site: Site) -> str:
    secret = SiteSecret.new_secret()
    SiteSecret.objects.create(site=site, digest=SiteSecret.digest_of(secret), end=secret[-SHOWN:])
    return secret


def _end(secrets: QuerySet[SiteSecret], at: datetime) -> int:
    """End secrets at a time, where they do not end sooner; return how many."""
    return secrets.filter(Q(expires_at=None) | Q(expires_at__gt=at)).update(expires_at=at)


def _locked(site: Site) -> Site:
    rows = Site.objects.select_for_update(of=("self",)).select_related("project")
    return rows.get(pk=site.pk)


def _record(site: Site, message: str, by: User, **action: int) -> None:
    audit.record(
        project=site.project, kind=Event.Kind.PROJECT, message=message, by=by, row=site, **action
    )

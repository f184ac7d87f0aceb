"""Web sites that embed challenges as their CAPTCHA, and the secrets by which they verify."""

import hashlib
import secrets
import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.models.projects import Project

SECRET_PREFIX = "tessera_site_"  # of a secret, by which a search for leaked ones knows it
SHOWN = 4  # last characters of a secret that are kept to be recognised by


def new_key() -> str:
    """Draw a site key, which pages show to everybody."""
    return str(uuid.uuid4())


class Site(models.Model):
    """A web site whose visitors pass by answering a project's questions."""

    class Difficulty(models.TextChoices):
        EASY = "easy", "easy: one in a thousand who answer at random may pass"
        NORMAL = "normal", "normal: one in ten thousand; one round of pictures or two"
        HARD = "hard", "hard: one in a hundred thousand; always two, and fewer slips forgiven"

    project = models.ForeignKey(Project, models.CASCADE, related_name="sites")
    name = models.CharField(max_length=60)
    key = models.CharField(max_length=36, unique=True, default=new_key, editable=False)
    hosts = ArrayField(
        models.CharField(max_length=253),
        help_text="Host names on which it may be shown; *.example.com is all below example.com.",
    )
    difficulty = models.CharField(
        max_length=6, choices=Difficulty.choices, default=Difficulty.NORMAL
    )
    daily_quota = models.PositiveIntegerField(
        default=100_000, help_text="Attempts that are begun on a day (UTC) at most."
    )
    fail_open = models.BooleanField(
        default=False, help_text="Let everybody pass while nothing can be asked."
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class SiteSecret(models.Model):
    """A secret by which a site's server verifies tokens. Only its hash is kept."""

    site = models.ForeignKey(Site, models.CASCADE, related_name="secrets")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the secret.")
    end = models.CharField(max_length=SHOWN, help_text="The last letters of the secret.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="Null: it is valid until another one takes its place."
    )

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"…{self.end}"

    @staticmethod
    def new_secret() -> str:
        """Draw a secret of 256 bits."""
        return SECRET_PREFIX + secrets.token_urlsafe(32)

    @staticmethod
    def digest_of(secret: str) -> str:
        """Return the hash of a secret, in hexadecimal."""
        return hashlib.sha256(secret.encode(errors="replace")).hexdigest()

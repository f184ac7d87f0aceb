"""Tokens by which a user's programs use the API, and the answers that are kept for them."""

import hashlib
import secrets

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

PREFIX = "tessera_"  # of a secret, by which a search for leaked ones knows it
SHOWN = len(PREFIX) + 4  # characters of a secret that are kept to be recognised by


class Scope(models.TextChoices):
    """What a token may be used for, within what its user may do: `labeling.access.Capability`."""

    READ = "read", _("Look at projects, labels, runs and models")
    ANNOTATE = "annotate", _("Answer questions, and withdraw answers")
    REVIEW = "review", _("Decide, mark gold, see to flags, block annotators")
    OWN = "own", _("Pictures, concepts, settings, members, snapshots and training")


class Token(models.Model):
    """A key to the API in a user's name. Only the hash of its secret is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=60, help_text="What it is for.")
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the secret.")
    start = models.CharField(max_length=SHOWN, help_text="The first letters of the secret.")
    scopes = ArrayField(models.CharField(max_length=8, choices=Scope.choices))
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_valid(self) -> bool:
        """Whether it is neither revoked nor expired."""
        expired = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.revoked_at is None and not expired

    @staticmethod
    def new_secret() -> str:
        """Draw a secret of 256 bits."""
        return PREFIX + secrets.token_urlsafe(32)

    @staticmethod
    def digest_of(secret: str) -> str:
        """Return the hash of a secret, in hexadecimal."""
        return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


class KeptAnswer(models.Model):
    """The answer to a request that was sent with an Idempotency-Key, to be sent again."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    key = models.CharField(max_length=64, help_text="SHA-256 of the key.")
    request = models.CharField(max_length=64, help_text="SHA-256 of address and body.")
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)
    location = models.CharField(max_length=200, blank=True, help_text="The header.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once_a_user")
        ]

    def __str__(self) -> str:
        return f"{self.status} for {self.user}"

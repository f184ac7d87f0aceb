"""Addresses elsewhere that are told what happens in a project, and what they were told."""

import base64
import secrets
import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from labeling.models.projects import Project

SECRET_PREFIX = "whsec_"  # as standardwebhooks.com writes it


class HookEvent(models.TextChoices):
    """What an address may be told of."""

    LABEL_SETTLED = "label.settled", "labels became certain"
    SNAPSHOT_READY = "snapshot.ready", "a snapshot is ready"
    RUN_FINISHED = "run.finished", "a training run ended"
    MODEL_PROMOTED = "model.promoted", "another model became the current one"
    ANNOTATOR_BAD = "annotator.bad", "an annotator turned bad"
    IMPORT_FINISHED = "import.finished", "an import is done"


class Webhook(models.Model):
    """An address that is told of some kinds of events of a project."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="webhooks")
    url = models.URLField(max_length=500)
    events = ArrayField(models.CharField(max_length=20, choices=HookEvent.choices))
    secret = models.CharField(max_length=100, help_text="By which deliveries are signed.")
    old_secret = models.CharField(
        max_length=100, blank=True, help_text="Which signs as well, so that receivers can change."
    )
    old_secret_until = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True)
    failing_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when it has taken nothing; null: it takes."
    )
    off_reason = models.CharField(
        max_length=300, blank=True, help_text="Why it was switched off by itself."
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    labels_until = models.DateTimeField(
        default=timezone.now, help_text="Labels that settled before are told of."
    )
    labels_after = models.BigIntegerField(
        default=0, help_text="… and of that moment, those up to this id."
    )
    spells_until = models.DateTimeField(
        default=timezone.now, help_text="Annotators that turned bad before are told of."
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.url

    @property
    def secrets(self) -> list[str]:
        """By which deliveries are signed now, the newest first."""
        until = self.old_secret_until
        old = [self.old_secret] if until is not None and until > timezone.now() else []
        return [self.secret, *old]

    @staticmethod
    def new_secret() -> str:
        """Draw a secret of 256 bits."""
        return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


class Delivery(models.Model):
    """An event that is sent to an address, as often as it takes, up to a limit."""

    class State(models.TextChoices):
        PENDING = "pending", "not sent yet"
        DELIVERED = "delivered", "delivered"
        FAILED = "failed", "given up"

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=20, choices=[*HookEvent.choices, ("ping", "a test")])
    uid = models.UUIDField(default=uuid.uuid4, unique=True, help_text="The header webhook-id.")
    body = models.TextField(help_text="JSON, as it is sent and signed.")
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now, help_text="When it is tried next.")
    status = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="What was answered last."
    )
    error = models.CharField(max_length=300, blank=True, help_text="Why it was not delivered.")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                fields=["due_at"], condition=Q(state="pending"), name="delivery_that_is_due"
            ),
            models.Index(fields=["created_at"], name="delivery_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook}"

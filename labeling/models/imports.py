"""Imports: pictures, answers or gold that come in together, and what became of them."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from labeling.models.jobs import QUEUE, waiting
from labeling.models.lease import Leased
from labeling.models.projects import Project

NAME_LENGTH = 200  # characters of an import's name
PATH_LENGTH = 500  # … and of a file's path in an upload
ADDRESS_LENGTH = 1_100  # … and of an address of a bucket
ETAG_LENGTH = 200


class Import(Leased):
    """A source of pictures, or a file of answers or gold, on its way in.

    The worker that reads it holds the row's lease.

    Uploading, or fetching from a bucket → reading (what is there, and which concepts it names) →
    choosing (the owner ticks the concepts) → importing → done; undone, where somebody took it back.
    A command goes the same way without uploading.
    """

    class State(models.TextChoices):
        UPLOADING = "uploading"
        FETCHING = "fetching"
        READING = "reading"
        CHOOSING = "choosing"
        IMPORTING = "importing"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        UNDOING = "undoing"
        UNDONE = "undone"

    class Kind(models.TextChoices):
        PICTURES = "pictures"
        ANSWERS = "answers", "answers of a crowd"
        GOLD = "gold", "a gold list"

    project = models.ForeignKey(Project, models.CASCADE, related_name="imports")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PICTURES)
    state = models.CharField(max_length=9, choices=State.choices, default=State.UPLOADING)
    name = models.CharField(
        max_length=NAME_LENGTH, blank=True, help_text="Of the folder or archive."
    )
    folder = models.CharField(
        max_length=400, blank=True, editable=False, help_text="Where its uploaded files lie."
    )
    fingerprint = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text="Of an upload's list of files, or of a command's source: the same goes on "
        "where it stopped.",
    )
    files = models.PositiveIntegerField(
        default=0, help_text="Announced, of an upload; that a bucket lists."
    )
    bytes = models.BigIntegerField(default=0, help_text="Of these files.")
    received = models.BigIntegerField(
        default=0, help_text="Bytes that have been uploaded, or fetched from a bucket."
    )
    address = models.CharField(
        max_length=ADDRESS_LENGTH, blank=True, help_text="Of the bucket that it comes from."
    )
    source = models.CharField(
        max_length=400, blank=True, editable=False, help_text="The path that a command was given."
    )
    options = models.JSONField(
        default=dict, blank=True, help_text="How it is read: `labeling.imports.options`."
    )
    decisions = models.JSONField(
        default=list, blank=True, help_text="What its texts are, and why: `labeling.imports.kinds`."
    )
    foreseen = models.JSONField(
        default=list, blank=True, help_text="What will be refused of it: `labeling.imports.jobs`."
    )
    reading = models.JSONField(
        null=True,
        blank=True,
        help_text="How a file of answers or gold is read: `labeling.imports.answers.jobs`.",
    )
    columns = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        editable=False,
        help_text="The names of its tables' columns, of which some may be chosen.",
    )
    candidates = models.JSONField(
        default=list, blank=True, help_text="Concepts that it names: `labeling.imports.candidates`."
    )
    candidates_count = models.PositiveIntegerField(
        default=0, help_text="Concepts that it names, beyond those that are listed too."
    )
    captions = models.PositiveIntegerField(default=0, help_text="That it holds.")
    concepts = models.JSONField(
        null=True, blank=True, help_text="The names that were chosen; null: not yet."
    )
    start_at_once = models.BooleanField(
        default=False, help_text="Whether it goes on by itself with the concepts that are ticked."
    )
    pictures = models.PositiveIntegerField(
        default=0, help_text="That it holds; of a file, its answers or truths."
    )
    done = models.PositiveIntegerField(default=0, help_text="… that were looked at.")
    counts = models.JSONField(default=dict, blank=True, help_text="What became of them.")
    made_concepts = ArrayField(
        models.BigIntegerField(), default=list, blank=True, editable=False, help_text="Their ids."
    )
    report = models.FileField(
        upload_to="imports",
        blank=True,
        editable=False,
        max_length=200,
        help_text="What became of each file: `labeling.imports.report`.",
    )
    error = models.TextField(blank=True, help_text="Why it failed.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Workers that began it.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    vendor = models.CharField(
        max_length=200, blank=True, help_text="Who wrote its texts, or sold them."
    )
    row_vendors = ArrayField(
        models.CharField(max_length=200),
        default=list,
        blank=True,
        editable=False,
        help_text="Whom its rows name as theirs, of very many the first.",
    )
    batch = models.CharField(max_length=200, blank=True, help_text="The vendor's name for it.")
    license = models.CharField(
        max_length=200, blank=True, help_text="Of what says no other license itself."
    )
    url = models.CharField(max_length=1000, blank=True, help_text="Where it was had from.")
    price = models.DecimalField(
        max_digits=12, decimal_places=2, null=True, blank=True, help_text="Of all of it together."
    )
    currency = models.CharField(max_length=3, blank=True, help_text="Of the price: EUR, USD.")
    note = models.TextField(blank=True, max_length=2000)
    created_at = models.DateTimeField(auto_now_add=True)
    active_at = models.DateTimeField(auto_now_add=True, help_text="When something last came in.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When pictures were read.")
    claimed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When its worker took it up."
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["state", "lease_until"],
                condition=models.Q(
                    state__in=[
                        *("uploading", "fetching", "reading"),
                        *("choosing", "importing", "undoing"),
                    ]
                ),
                name="import_unfinished",
            )
        ]

    def __str__(self) -> str:
        return self.name or f"import no. {self.pk}"

    @property
    def share(self) -> float | None:
        """How much of the current step is done, 0 to 1; None while nobody knows."""
        done, total = {
            self.State.UPLOADING: (self.received, self.bytes),
            self.State.FETCHING: (self.received, self.bytes),
            self.State.IMPORTING: (self.done, self.pictures),
        }.get(self.State(self.state), (0, 0))
        return min(done / total, 1.0) if total else None

    @property
    def waits_for(self) -> str:
        """What it waits for while no worker is at it."""
        if self.is_leased or self.state not in (
            *(self.State.FETCHING, self.State.READING),
            *(self.State.IMPORTING, self.State.UNDOING),
        ):
            return ""
        return waiting(QUEUE, since=self.active_at)

    @property
    def seconds_left(self) -> float | None:
        """How long the pictures that are left will take at the rate so far; None: not known yet."""
        if self.state != self.State.IMPORTING or not self.done:
            return None
        if self.claimed_at is None or self.heartbeat_at is None:
            return None
        elapsed = (self.heartbeat_at - self.claimed_at).total_seconds()
        return max(0.0, elapsed / self.done * (self.pictures - self.done))


class UploadedFile(models.Model):
    """A file of an upload, as it was announced or as a bucket lists it, and how much has come.

    Its bytes lie in the upload's folder under its number. The row goes once the import has ended.
    """

    upload = models.ForeignKey(
        Import, models.CASCADE, related_name="uploaded_files", db_index=False
    )
    number = models.PositiveIntegerField(help_text="From 0, in the order of announcement.")
    path = models.CharField(max_length=PATH_LENGTH, help_text="In the folder that was dropped.")
    size = models.BigIntegerField(help_text="In bytes.")
    modified = models.BigIntegerField(default=0, help_text="Milliseconds since 1970.")
    received = models.BigIntegerField(default=0, help_text="Bytes that have come.")
    etag = models.CharField(
        max_length=ETAG_LENGTH, blank=True, help_text="By which a bucket knows its content."
    )
    problem = models.CharField(
        max_length=200, blank=True, help_text="Why it is refused before it is read."
    )

    class Meta:
        ordering = ["upload_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["upload", "number"], name="number_once_an_upload"),
            models.UniqueConstraint(fields=["upload", "path"], name="path_once_an_upload"),
        ]
        indexes = [
            models.Index(
                fields=["upload", "number"],
                condition=models.Q(problem="") & models.Q(received__lt=models.F("size")),
                name="uploaded_file_missing",
            )
        ]

    def __str__(self) -> str:
        return self.path

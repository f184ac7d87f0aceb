"""A training job, what it produced, and the pictures that it drew."""

import uuid

from django.conf import settings
from django.db import models

from labeling.models import Image, Project, Snapshot


class Run(models.Model):
    """A training job: a folder that a child process fills, and its state here.

    The worker that holds the lease copies the folder's progress into the row; a row whose
    lease has passed is taken up again by the next sweep.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Trigger(models.TextChoices):
        ADMIN = "admin"
        COMMAND = "command"
        API = "api"
        SCHEDULE = "schedule"

    project = models.ForeignKey(Project, models.CASCADE, related_name="runs")
    snapshot = models.ForeignKey(
        Snapshot,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="runs",
        help_text="What it learns from; empty: the worker freezes one when the run starts.",
    )
    include_generated = models.BooleanField(
        default=False, help_text="Whether a snapshot frozen for it holds generated pictures too."
    )
    recipe = models.CharField(max_length=40)
    preset = models.CharField(max_length=40)
    options = models.JSONField(
        default=dict, blank=True, help_text="What replaces values of the preset, by name."
    )
    clip = models.ForeignKey(
        "training.Model",
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The project's CLIP that reads its texts; empty: a frozen sentence encoder.",
    )
    seed = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    trigger = models.CharField(max_length=8, choices=Trigger.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    folder = models.CharField(max_length=400, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Starts of its process.")
    cancel_requested = models.BooleanField(default=False)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True)
    stage = models.CharField(max_length=20, blank=True)
    step = models.PositiveIntegerField(default=0)
    steps = models.PositiveIntegerField(default=0)
    loss = models.FloatField(null=True, blank=True)
    images_per_second = models.FloatField(null=True, blank=True)
    seconds_left = models.FloatField(null=True, blank=True)
    metrics = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True, help_text="Why it failed, with the end of its log.")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["state", "lease_until"])]

    def __str__(self) -> str:
        return f"{self.recipe} no. {self.pk}"


class Model(models.Model):
    """What a run produced: a candidate, until the gate or a person makes it the current one."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="models")
    run = models.OneToOneField(Run, models.CASCADE, related_name="model")
    recipe = models.CharField(max_length=40)
    folder = models.CharField(max_length=400)
    current = models.BooleanField(default=False)
    verdict = models.JSONField(
        null=True, blank=True, help_text="What the gate's judges say; empty until they have."
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    feedback = models.JSONField(
        null=True, blank=True, help_text="What it gave back to the loop; empty until it has."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "recipe"],
                condition=models.Q(current=True),
                name="one_current_model_a_recipe",
            )
        ]

    def __str__(self) -> str:
        return f"{self.recipe} model no. {self.pk}"


class Promotion(models.Model):
    """A model became the current one of its recipe; rows are only ever added."""

    model = models.ForeignKey(Model, models.CASCADE, related_name="promotions")
    replaced = models.ForeignKey(
        Model, models.SET_NULL, null=True, blank=True, related_name="replacements"
    )
    by_gate = models.BooleanField(default=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    why = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.model} became current"


class Generation(models.Model):
    """A wish for pictures: what is to be drawn, waiting for a worker."""

    class State(models.TextChoices):
        QUEUED = "queued"
        DRAWING = "drawing"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Kind(models.TextChoices):
        PICTURES = "pictures", "pictures of one prompt"
        STRIP = "strip", "a strip from one prompt and seed to others"
        COMPLETION = "completion", "the lower half of a given picture"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey(Model, models.CASCADE, related_name="generations")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PICTURES)
    prompt = models.CharField(max_length=500, blank=True, help_text="Empty: the unguided guess.")
    second_prompt = models.CharField(
        max_length=500, blank=True, help_text="What a strip ends with; empty: the unguided guess."
    )
    count = models.PositiveSmallIntegerField(default=4)
    seed = models.PositiveIntegerField(default=0)
    second_seed = models.PositiveIntegerField(
        null=True, blank=True, help_text="What a strip ends with."
    )
    guidance = models.FloatField(null=True, blank=True, help_text="Empty: the model's own.")
    given = models.FileField(
        upload_to="given", blank=True, max_length=200, help_text="The picture to be completed."
    )
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    progress = models.FloatField(default=0.0, help_text="The share that is drawn.")
    cancel_requested = models.BooleanField(default=False)
    error = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    visitor = models.CharField(
        max_length=32, blank=True, editable=False, help_text="Whose session it came from."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["state", "created_at"]),
            models.Index(fields=["visitor", "-created_at"]),
        ]

    def __str__(self) -> str:
        prompt = self.prompt or "no prompt"
        return f"{prompt} → {self.second_prompt or 'no prompt'}" if self.is_strip else prompt

    @property
    def is_strip(self) -> bool:
        return self.kind == self.Kind.STRIP


class Sample(models.Model):
    """A picture that a model drew."""

    generation = models.ForeignKey(Generation, models.CASCADE, related_name="samples")
    file = models.ImageField(upload_to="samples", max_length=200)
    seed = models.PositiveIntegerField(null=True, help_text="Empty: between two seeds.")
    nearest = models.JSONField(default=list, help_text="Nearest training pictures, with distance.")
    image = models.ForeignKey(
        Image, models.SET_NULL, null=True, blank=True, help_text="Set once people are asked."
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.generation} (seed {self.seed})"

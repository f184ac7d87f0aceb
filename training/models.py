"""Training runs, the models that they produce, and the samples that the models generate."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.functional import cached_property

from labeling import stored_folders
from labeling.models import Leased, Project, Question, Snapshot
from labeling.stored_folders import StorageAway
from training.engine.version import RUN_FORMAT

SEED_LIMIT = 2**31  # seeds are below it


class Delayed(Leased):
    """A row whose work may have to wait, such as for a storage that is away: `training.delays`.

    Nobody can lease it before it is tried again.
    """

    delay_reason = models.TextField(
        blank=True, editable=False, help_text="What it waits for, in a sentence."
    )

    class Meta:
        abstract = True


class Run(Delayed):
    """A training job: a folder that a child process fills, and its state here.

    The worker that holds the lease copies the folder's progress into the row. A sweep queues a
    run again once its lease has expired.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Trigger(models.TextChoices):
        PAGE = "page"
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
        help_text="What it trains on; empty: the worker freezes one when the run starts.",
    )
    include_generated = models.BooleanField(
        default=True,
        help_text="Whether a snapshot frozen for it holds what models drew: judged drawings teach.",
    )
    recipe = models.CharField(max_length=40)
    preset = models.CharField(max_length=40)
    options = models.JSONField(
        default=dict, blank=True, help_text="Values that replace those of the preset, by name."
    )
    clip = models.ForeignKey(
        "training.Model",
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The project's CLIP that encodes its texts; empty: a frozen sentence encoder.",
    )
    start = models.ForeignKey(
        "training.Model",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The model that it goes on from; empty: it starts afresh.",
    )
    seed = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    trigger = models.CharField(max_length=8, choices=Trigger.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    folder = models.CharField(
        max_length=200, blank=True, help_text="Its name in the storage; empty until it starts."
    )
    code = models.CharField(
        max_length=60,
        blank=True,
        editable=False,
        help_text="The version of the program that began it, or went on with it last.",
    )
    format = models.PositiveSmallIntegerField(
        default=RUN_FORMAT,
        editable=False,
        help_text="Of its config and checkpoints: a worker takes no run that it cannot read.",
    )
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="How often its process was started."
    )
    cancel_requested = models.BooleanField(default=False)
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


class Model(Delayed):
    """What a run produced: a candidate, until it is promoted to the current model of its recipe.

    `verdict` is what `python -m training compare` wrote, with `baseline` (the id of the model that
    it was compared with, or null) and `answers` (how many answers about samples it counted).
    Whoever compares it, or gives its feedback to the loop, holds the lease.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="models")
    run = models.OneToOneField(Run, models.CASCADE, related_name="model")
    recipe = models.CharField(max_length=40)
    folder = models.CharField(max_length=200, help_text="Its name in the storage.")
    current = models.BooleanField(default=False)
    accepted = models.BooleanField(
        default=False,
        help_text="It was promoted, and that was not taken back: the public may see its pictures.",
    )
    verdict = models.JSONField(
        null=True,
        blank=True,
        help_text="How it compares with the current model; empty until compared.",
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    feedback = models.JSONField(
        null=True, blank=True, help_text="What it gave back to the loop; empty until it has."
    )
    suggestions = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="Prompts to offer: what the project knew best when the model was trained.",
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

    @cached_property
    def lacks_files(self) -> bool:
        """Whether the storage has no folder of the model; False where it cannot be asked."""
        try:
            return not stored_folders.exists(self.folder)
        except StorageAway:
            return False


class PredictionShare(Leased):
    """Some tiles of a project that one worker looks at for whoever predicts all of them.

    The rows go once all are predicted, or nobody needs it any more.
    """

    lease_duration = timedelta(seconds=30)

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="prediction_shares", db_index=False
    )
    model = models.ForeignKey(
        Model,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="prediction_shares",
        help_text="The CLIP that looks at them; empty: the frozen encoder.",
    )
    number = models.PositiveIntegerField(help_text="From 0, in the order of the images' ids.")
    first_image = models.BigIntegerField(help_text="Its tiles are of the images from this id on,")
    last_image = models.BigIntegerField(help_text="up to this one,")
    after_tile = models.BigIntegerField(help_text="and have ids above this one,")
    last_tile = models.BigIntegerField(help_text="and not above this one.")
    tiles = models.PositiveIntegerField(help_text="How many there are.")
    folder = models.CharField(max_length=100, help_text="Of what is seen, in the storage.")
    done = models.BooleanField(default=False)

    class Meta:
        ordering = ["project_id", "number"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "model", "number"],
                nulls_distinct=False,
                name="share_once_a_prediction",
            )
        ]

    def __str__(self) -> str:
        return f"share {self.number} of the prediction of {self.project_id}"


class Promotion(models.Model):
    """A change of the current model of a recipe: to another one, or to none.

    Rows are only ever added: an undo is a row that names what it undoes.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="promotions")
    recipe = models.CharField(max_length=40)
    model = models.ForeignKey(
        Model,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="promotions",
        help_text="The current one from then on; empty: none.",
    )
    replaced = models.ForeignKey(
        Model,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="replacements",
        help_text="The current one until then; empty: none.",
    )
    undoes = models.OneToOneField(
        "self", models.CASCADE, null=True, blank=True, related_name="undone_by"
    )
    automatic = models.BooleanField(
        default=False, help_text="Decided by the comparison, and not by a person."
    )
    promoted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    reason = models.TextField(blank=True, max_length=500)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["project", "recipe", "-id"], name="promotion_of_recipe")]

    def __str__(self) -> str:
        if self.model is None:
            return f"No {self.recipe} model is current any more"
        return f"The {self.model} became current"


class Generation(Delayed):
    """A request for samples of a model, and its state; the worker that executes it holds the lease.

    Requests come from people in the studio and over the API, and from `training.feedback`.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    class Kind(models.TextChoices):
        SAMPLES = "samples", "samples of one prompt"
        INTERPOLATION = "interpolation", "a strip from one prompt and seed to others"
        INPAINTING = "inpainting", "the lower half of a source image"
        TRANSLATION = "translation", "the other half of a source image"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    model = models.ForeignKey(Model, models.CASCADE, related_name="generations")
    kind = models.CharField(max_length=13, choices=Kind.choices, default=Kind.SAMPLES)
    prompt = models.CharField(max_length=500, blank=True, help_text="Empty: unconditional.")
    second_prompt = models.CharField(
        max_length=500, blank=True, help_text="At an interpolation's end; empty: unconditional."
    )
    count = models.PositiveSmallIntegerField(default=4, help_text="Number of samples.")
    seed = models.PositiveIntegerField(
        default=0, help_text="Of the first sample; each further one adds 1."
    )
    second_seed = models.PositiveIntegerField(
        null=True, blank=True, help_text="At an interpolation's end."
    )
    guidance = models.FloatField(null=True, blank=True, help_text="Empty: the model's own.")
    draft = models.BooleanField(
        default=False, help_text="Drawn in one call, while somebody types; deleted soon."
    )
    source_image = models.FileField(
        upload_to="source-images",
        blank=True,
        max_length=200,
        help_text="Whose lower half is inpainted, or whose other half is drawn.",
    )
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    progress = models.FloatField(default=0.0, help_text="Share that is done, 0 to 1.")
    cancel_requested = models.BooleanField(default=False)
    error = models.TextField(blank=True, help_text="Why it failed.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How many workers began it.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    visitor = models.CharField(
        max_length=32, blank=True, editable=False, help_text="Key of the session it came from."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["state", "created_at"]),
            models.Index(fields=["visitor", "-created_at"]),
        ]

    def __str__(self) -> str:
        if self.kind == self.Kind.TRANSLATION:
            return f"other half of {self.prompt or 'a picture'}"
        prompt = self.prompt or "no prompt"
        if not self.is_interpolation:
            return prompt
        return f"{prompt} → {self.second_prompt or 'no prompt'}"

    @property
    def is_interpolation(self) -> bool:
        return self.kind == self.Kind.INTERPOLATION


class Sample(models.Model):
    """An image that a model generated; people may be asked whether it shows its prompt.

    `question` is the way from a generated image of the project to the model that made it:
    question → sample → generation → model.
    """

    generation = models.ForeignKey(Generation, models.CASCADE, related_name="samples")
    file = models.ImageField(upload_to="samples", max_length=200)
    seed = models.PositiveIntegerField(null=True, help_text="Empty: between two seeds.")
    nearest = models.JSONField(
        default=list, help_text="Nearest training images: [{file_name, distance}], nearest first."
    )
    question = models.ForeignKey(
        Question,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="samples",
        help_text="Whether it shows its prompt; empty until people are asked.",
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.generation} (seed {self.seed})"

"""When a project's posteriors were last recomputed from all answers, and by whom they are now."""

from django.db import models

from labeling.models.lease import Leased
from labeling.models.projects import Project


class Recomputation(Leased):
    """A project's recomputation, one row a project: leased while it runs.

    Besides its state, the row keeps what the last one learned, for answers that arrive one by one
    (`strength` and `ambiguity`, see `labeling.aggregation.online`), and which of several captions
    is best (`agreement_weight`, `caption_model_weight`).
    """

    class State(models.TextChoices):
        IDLE = "idle"
        RUNNING = "running"
        FAILED = "failed"

    project = models.OneToOneField(
        Project, models.CASCADE, primary_key=True, related_name="recomputation"
    )
    state = models.CharField(max_length=7, choices=State.choices, default=State.IDLE)
    requested = models.BooleanField(
        default=False, help_text="Something other than a new answer calls for it."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    changed = models.PositiveIntegerField(
        default=0, help_text="Questions that the last one changed."
    )
    error = models.TextField(blank=True, help_text="Why the last one failed.")
    settling_rules = models.JSONField(
        default=list, blank=True, help_text="The rules by which the last one set states."
    )
    strength = models.FloatField(
        default=0.7, help_text="Weight of the evidence of a single answer, by the last one."
    )
    ambiguity = models.FloatField(
        default=0.1, help_text="Prior probability of a split truth, by the last one."
    )
    agreement_weight = models.FloatField(
        default=0.5, help_text="Weight of the agreement among captions, by the last one."
    )

    caption_model_weight = models.FloatField(
        default=0.5, help_text="Weight of a model's predictions of captions, by the last one."
    )

    learned_from = models.PositiveIntegerField(
        default=0,
        help_text="Answers and truths by which it was last learned what rules what out.",
    )
    excluded_all = models.BooleanField(
        default=False,
        help_text="Whether all questions follow what is known of the pictures' other concepts.",
    )

    @property
    def is_lost(self) -> bool:
        """Whether the process that was at it is gone, and no other has taken over."""
        return self.state == self.State.RUNNING and not self.is_leased

    def __str__(self) -> str:
        return f"{self.project}: {self.state}"

"""A text that may or may not be true of a tile, and the probability that it is."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q

from labeling.models.annotators import Annotator
from labeling.models.images import Tile
from labeling.models.projects import Concept, Project
from labeling.models.text_sources import TextSource

_ASKED = Q(kind="concept", state="open") & ~Q(source="model")  # of images that no model generated
_NOMINATED = Q(slice_key__isnull=False) | Q(reason__in=["doubtful", "likely"])
# Settled by people of one mind: what may check others (`labeling.checks`).
_UNANIMOUS = Q(state="settled", verdict=None, disagreement=0.0, answers_wanted=0) & Q(
    answers_count__gte=2
)
# Captions that are likely true: that somebody states who is not blocked, or else that most people
# believe.
_IS_STATED = Q(stated__isnull=False) & (Q(author=None) | Q(author__blocked=False))
LIKELY_CAPTION = Q(kind="caption", probability__gte=0.5) & (
    _IS_STATED | Q(verdict=True) | Q(yes_count__gt=F("answers_count") / 2.0)
)
POOLED = _ASKED & _NOMINATED & Q(answers_count=0)  # what pools hold: `labeling.pools`


class Question(models.Model):
    """Tile × text, with the probability that the text is true of the tile.

    A question is stored when there is a reason (`reason`). All other pairs of a tile and a concept
    are implicit: `labeling.beliefs` says what is believed of them.

    `probability` is the posterior by all answers so far, `prior` the probability before any (the
    concept's prevalence or the import's confidence, shifted by the model's probability and by what
    people say of concepts that rule this one out: `labeling.exclusions`). `verdict`
    is the truth where it is known: of a gold question, or as a reviewer decided; it clamps the
    posterior to 0 or 1.
    """

    class Kind(models.TextChoices):
        CONCEPT = "concept"
        CAPTION = "caption"

    class State(models.TextChoices):
        OPEN = "open"
        SETTLED = "settled"
        AMBIGUOUS = "ambiguous"
        GOLD = "gold"

    class Source(models.TextChoices):
        IMPORT = "import"
        ANNOTATOR = "annotator"
        MODEL = "model"

    class Reason(models.TextChoices):
        STATED = "stated", "stated by an import or by a caption's author"
        RANDOM = "random", "drawn for the random slice"
        DOUBTFUL = "doubtful", "the model doubts it"
        LIKELY = "likely", "likely to be true"
        ANSWERED = "answered", "answered elsewhere"
        DECIDED = "decided", "a reviewer decided it"
        GENERATED = "generated", "a model generated the picture"
        MERGED = "merged", "a record of a concept that was merged"

    project = models.ForeignKey(Project, models.CASCADE, related_name="questions", db_index=False)
    tile = models.ForeignKey(Tile, models.CASCADE, related_name="questions", db_index=False)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    grid = models.PositiveSmallIntegerField(default=1, help_text="Its tile's grid.")
    concept = models.ForeignKey(
        Concept, models.CASCADE, null=True, blank=True, related_name="questions", db_index=False
    )
    text = models.CharField(max_length=500, blank=True, help_text="The caption; else empty.")
    source = models.CharField(max_length=9, choices=Source.choices, default=Source.IMPORT)
    reason = models.CharField(
        max_length=9, choices=Reason.choices, default=Reason.STATED, help_text="Why it is stored."
    )
    slice_key = models.FloatField(
        null=True,
        blank=True,
        help_text="Its place in the random slice, in [0, 1); null: it is not in the slice.",
    )
    author = models.ForeignKey(
        Annotator,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="captions",
        db_index=False,
    )
    text_source = models.ForeignKey(
        TextSource,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="captions",
        db_index=False,
        help_text="Where an imported caption comes from.",
    )

    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    stated = models.FloatField(
        null=True,
        blank=True,
        help_text="Probability by an import or an author; null: the concept's prevalence, or of a "
        "caption that no import states any more.",
    )
    prior = models.FloatField(
        default=0.5, help_text="`stated`, or the prevalence, with the two shifts."
    )
    model_probability = models.FloatField(
        null=True, blank=True, help_text="The model's probability."
    )
    prior_shift = models.FloatField(
        default=0.0,
        db_default=0.0,
        help_text="What the model's probability adds to the log-odds of the prior.",
    )
    exclusion_shift = models.FloatField(
        default=0.0,
        db_default=0.0,
        help_text="What answers about other concepts of the picture add to the log-odds of the "
        "prior.",
    )
    excluded = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Whether a concept that rules this one out is settled on the picture.",
    )
    probability = models.FloatField(default=0.5)
    held_out = models.FloatField(
        null=True,
        blank=True,
        help_text="Of gold that was chosen regardless of its answers: the posterior as if its "
        "truth were unknown, by the last recomputation.",
    )
    verdict = models.BooleanField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    answers_count = models.PositiveIntegerField(default=0)
    yes_count = models.PositiveIntegerField(default=0)
    answers_weight = models.FloatField(
        default=0.0,
        db_default=0.0,
        help_text="How many answers these are worth: of people who are known to be in earnest.",
    )
    disagreement = models.FloatField(
        default=0.0, help_text="2 · min(yes, no) / (answers + 2): 0 where all agree."
    )
    answers_wanted = models.PositiveIntegerField(
        default=0, help_text="It stays open until it has this many: a reviewer reopened it."
    )
    reservations = ArrayField(
        models.DateTimeField(),
        default=list,
        blank=True,
        help_text="When each of its reservations expires. In no index.",
    )
    priority = models.FloatField(default=0.0, help_text="How much one more answer is wanted.")
    random_key = models.FloatField(help_text="Uniform in [0, 1), drawn once.")
    settled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["tile", "concept"], name="concept_once_a_tile"),
            models.UniqueConstraint(
                fields=["tile", "text"], condition=Q(kind="caption"), name="caption_once_a_tile"
            ),
            models.CheckConstraint(
                condition=Q(kind="concept", concept__isnull=False, text="")
                | (Q(kind="caption", concept__isnull=True) & ~Q(text="")),
                name="question_has_one_text",
            ),
            models.CheckConstraint(
                condition=Q(probability__gte=0, probability__lte=1), name="probability_in_range"
            ),
            models.CheckConstraint(
                condition=~Q(state="gold") | Q(verdict__isnull=False), name="gold_has_a_verdict"
            ),
        ]
        # Every index is paid for by each new question and each answer: an index holds only the
        # rows that its query reads. `labeling.selection.candidates` reads seven of
        # them, from the second on.
        indexes = [
            models.Index(  # by which priors are updated, and pairs nominated that are not stored
                fields=["concept", "tile"], condition=Q(kind="concept"), name="question_of_concept"
            ),
            models.Index(
                fields=["concept", "grid", "-priority", "random_key"],
                condition=_ASKED,
                name="question_wanted",
            ),
            models.Index(
                fields=["concept", "grid", "-priority", "random_key"],
                condition=_ASKED & Q(probability__gte=0.5),
                name="question_likely",
            ),
            models.Index(
                fields=["concept", "grid", "slice_key"],
                condition=_ASKED & Q(slice_key__isnull=False),
                name="question_random",
            ),
            models.Index(  # which counts what a pool still holds
                fields=["concept", "grid", "reason", "slice_key"],
                condition=POOLED,
                name="question_pool",
            ),
            models.Index(  # by which prevalence is learned
                fields=["concept", "slice_key"],
                condition=Q(slice_key__isnull=False),
                name="question_slice",
            ),
            models.Index(
                fields=["concept", "grid", "verdict", "random_key"],
                condition=Q(kind="concept", state="gold") & ~Q(source="model"),
                name="question_gold",
            ),
            models.Index(
                fields=["concept", "grid", "random_key"],
                condition=Q(kind="concept", probability__gte=0.95) & _UNANIMOUS,
                name="question_check_yes",
            ),
            models.Index(
                fields=["concept", "grid", "random_key"],
                condition=Q(kind="concept", probability__lte=0.05) & _UNANIMOUS,
                name="question_check_no",
            ),
            models.Index(
                fields=["project", "state", "-priority", "random_key"],
                condition=Q(kind="caption"),
                name="question_caption_wanted",
            ),
            models.Index(
                fields=["project", "state", "random_key"],
                condition=Q(kind="caption"),
                name="question_caption_random",
            ),
            models.Index(
                fields=["project", "-priority", "random_key"],
                condition=Q(kind="concept", source="model", state="open"),
                name="question_generated",
            ),
            models.Index(fields=["project", "-disagreement", "-id"], name="question_disagreement"),
            models.Index(fields=["project", "state", "id"], name="question_state"),
            models.Index(  # by id first, as the table is: else the primary key looks cheaper
                fields=["id", "project", "state"],
                condition=Q(kind="caption"),
                name="question_caption",
            ),
            models.Index(
                fields=["project", "settled_at"],
                condition=Q(settled_at__isnull=False),
                name="question_settled",
            ),
            models.Index(
                fields=["author"], condition=Q(author__isnull=False), name="question_author"
            ),
            models.Index(
                fields=["text_source"],
                condition=Q(text_source__isnull=False),
                name="question_text_source",
            ),
            models.Index(
                fields=["decided_by"],
                condition=Q(decided_by__isnull=False),
                name="question_decided_by",
            ),
            GinIndex(
                SearchVector("text", config="simple"),
                condition=Q(kind="caption"),
                name="question_words",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.wording}: {self.probability:.2f}"

    @property
    def wording(self) -> str:
        """What the tile may show: "a bicycle", or what the caption says."""
        return self.concept.phrase if self.concept else self.text

    @property
    def label(self) -> bool:
        """The likelier of yes and no."""
        return self.probability >= 0.5

    @property
    def is_retracted(self) -> bool:
        """Whether it is a caption that no import states any more."""
        return self.kind == self.Kind.CAPTION and self.stated is None

    @property
    def known_probability(self) -> float | None:
        """The probability of yes that answers are judged by; None while people are asked.

        It is 0 or 1 where the truth is known, and the posterior where it settled.
        """
        if self.verdict is not None:
            return float(self.verdict)
        return self.probability if self.state == self.State.SETTLED else None

    @property
    def standing(self) -> str:
        """What is decided of it: "", "yes", "no", "gold-yes" or "gold-no"."""
        if self.verdict is None:
            return ""
        word = "yes" if self.verdict else "no"
        return f"gold-{word}" if self.state == self.State.GOLD else word

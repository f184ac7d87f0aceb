"""Projects, each a data set in the making, and their concepts."""

import unicodedata
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse

from labeling.models.sorting import BY_NAME

KEY_LENGTH = 240  # characters of what names are compared by
RESERVED_SLUGS = frozenset({"new"})  # words that stand where a slug does in addresses
CERTAINTY = 0.99  # of an import at most: what is more certain, no answers could change

_share = [MinValueValidator(0.0), MaxValueValidator(1.0)]
_prior = [MinValueValidator(1 - CERTAINTY), MaxValueValidator(CERTAINTY)]
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))


def name_key(name: str) -> str:
    """Return what names are compared by: the name without case, spacing or Unicode variants.

    It is NFKC with full case folding (Unicode 15, section 3.13.3) and single spaces, of which the
    first `KEY_LENGTH` characters count: NFKC makes eighteen of some. Soft hyphens and spaces
    without a width, which say where a line may end, do not count; joiners do.
    """
    folded = unicodedata.normalize("NFKC", name.translate(_UNSEEN)).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())[:KEY_LENGTH].rstrip()


def movable(prior: float) -> float:
    """Return the prior within `CERTAINTY`, either way, so that people's answers can move it."""
    return min(max(prior, 1 - CERTAINTY), CERTAINTY)


def validate_slug_is_free(slug: str) -> None:
    """Raise ValidationError for a slug that is a word of the site's own addresses."""
    if slug.lower() in RESERVED_SLUGS:
        raise ValidationError(f"“{slug}” is a word of this site's addresses: choose another.")


class ProjectState(models.TextChoices):
    """Draft → open → archived, and back."""

    DRAFT = "draft"
    OPEN = "open"
    ARCHIVED = "archived"


class ProjectQuerySet(models.QuerySet["Project"]):
    """Which projects ask questions, and which of them everybody may see."""

    def open(self) -> Self:
        """Return the projects that ask questions."""
        return self.filter(state=ProjectState.OPEN)

    def public(self) -> Self:
        """Return those of them that everybody may take part in."""
        return self.open().filter(private=False)


class Project(models.Model):
    """A data set in the making: images, concepts, and when its questions settle.

    A draft is seen by its members alone. An open project asks questions: of everybody, or where it
    is private of those who were invited. An archived one asks nothing and keeps everything.
    """

    State = ProjectState

    slug = models.SlugField(max_length=60, unique=True, validators=[validate_slug_is_free])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True, help_text="Shown to annotators.")
    attribution = models.TextField(
        blank=True, help_text="Where the images come from; shown to annotators."
    )
    instructions = models.TextField(
        blank=True, max_length=4_000, help_text="How to answer; annotators can read it any time."
    )
    language = models.CharField(
        max_length=20,
        default="en",
        help_text="A language tag, such as en or pt-BR: that of its concepts' phrases.",
    )
    state = models.CharField(max_length=8, choices=ProjectState.choices, default=ProjectState.DRAFT)
    private = models.BooleanField(
        default=False, help_text="Whether only those who were invited may take part."
    )
    ask_parts = models.BooleanField(
        default=False,
        help_text="Whether pictures are cut into 4 × 4 parts, and asked about by these.",
    )
    practice_questions = models.PositiveSmallIntegerField(
        default=3, help_text="Questions with feedback, made of gold, before an annotator's first."
    )
    settle_at = models.FloatField(
        default=0.95,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.9999)],
        help_text="Probability, of yes or of no, at which a question settles.",
    )
    answers_min = models.PositiveSmallIntegerField(
        default=2,
        validators=[MinValueValidator(1)],
        help_text="No question settles on fewer answers than this; a model that clearly says the "
        "same stands for one of them.",
    )
    answers_cap = models.PositiveSmallIntegerField(
        default=9,
        validators=[MinValueValidator(1)],
        help_text="A question still uncertain after this many answers is ambiguous.",
    )
    answer_cost = models.FloatField(
        default=0.25,
        validators=_share,
        help_text="What an answer must bring: a question is given up as ambiguous once an answer "
        "to it is expected to settle fewer than this many labels for each that it would settle "
        "on a new question. At 0.25, three yes and three no of nine are given up; at 0, nothing "
        "is before the last answer allowed.",
    )
    random_share = models.FloatField(
        default=0.1,
        validators=_share,
        help_text="Share of questions drawn at random, so that accuracy can be estimated.",
    )
    import_confidence = models.FloatField(
        default=0.9,
        validators=_prior,
        help_text="Prior probability that imported captions and keywords are true.",
    )
    retrain_after = models.PositiveIntegerField(
        default=500, help_text="Retrain automatically after this many new labels; 0 is never."
    )
    aggregated_to = models.BigIntegerField(
        default=0, editable=False, help_text="The newest answer of the last recomputation."
    )
    features = models.FileField(
        upload_to="features",
        blank=True,
        editable=False,
        max_length=200,
        help_text="Embeddings by the current CLIP or a frozen encoder: `labeling.features`.",
    )
    encoder = models.CharField(
        max_length=40,
        blank=True,
        editable=False,
        help_text="The frozen encoder that the features are by; empty: the current CLIP.",
    )
    version = models.PositiveIntegerField(
        default=0, editable=False, help_text="Counts the edits: of two at once, the second is told."
    )
    published_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Since when it is open, or was until it was archived; empty of a draft.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = BY_NAME

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of its overview."""
        return reverse("project", args=[self.slug])

    def clean(self) -> None:
        """Check that thresholds fit each other."""
        if self.answers_cap < self.answers_min:
            sentence = f"A label needs {self.answers_min} answers: allow at least as many."
            raise ValidationError({"answers_cap": sentence})

    @property
    def active(self) -> bool:
        """Whether questions are asked."""
        return self.state == self.State.OPEN


class Concept(models.Model):
    """Something that an image may show, and what is known of it in advance."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="concepts")
    name = models.CharField(max_length=80, help_text='As asked: "bicycle".')
    phrase = models.CharField(max_length=100, help_text='With its article: "a bicycle".')
    definition = models.CharField(
        max_length=500, blank=True, help_text="A sentence: what counts as one, and what does not."
    )
    aliases = ArrayField(
        models.CharField(max_length=80),
        default=list,
        blank=True,
        help_text="Other names for it: a keyword that equals one counts for the concept.",
    )
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="merged",
        help_text="The concept that took over its questions and names.",
    )
    active = models.BooleanField(default=True, help_text="Whether questions about it are asked.")
    value = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.0)],
        help_text="Weight of its labels when questions are chosen; 0 or more.",
    )
    prevalence = models.FloatField(
        default=0.1, validators=_share, help_text="Estimated share of tiles that show it."
    )
    model_weight = models.FloatField(
        default=0.5,
        editable=False,
        help_text="The factor on the model's log-odds: 0 ignores the model, 1 takes it as it is.",
    )
    known_when_fitted = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Known questions when the model weight was fitted; 0: fit it again.",
    )
    version = models.PositiveIntegerField(
        default=0, editable=False, help_text="Counts the edits: of two at once, the second is told."
    )
    predictions = models.FileField(
        upload_to="predictions",
        blank=True,
        editable=False,
        max_length=200,
        help_text="The model's log-odds for all tiles with features: `labeling.predictions`.",
    )
    unfinished_from = models.BigIntegerField(
        null=True,
        blank=True,
        editable=False,
        help_text="After which image the statements of imports are still to be taken over, or "
        "that the questions of a merged one are still to be moved; null: it is done.",
    )
    embedded_phrase = models.CharField(
        max_length=100,
        blank=True,
        editable=False,
        help_text="The phrase that the model's predictions and text embedding are about.",
    )
    text_embedding = models.FileField(
        upload_to="predictions",
        blank=True,
        editable=False,
        max_length=200,
        help_text="That phrase's embedding, where the project's features do not hold it.",
    )
    priors_stale = models.BooleanField(
        default=False,
        editable=False,
        help_text="Whether prevalence, model weight or predictions have changed since the priors "
        "of its stored questions were set.",
    )

    exclusive = models.BooleanField(
        default=False,
        editable=False,
        help_text="Whether it rules other concepts out on a picture: it is in an exclusive group.",
    )

    class Meta:
        ordering = BY_NAME
        constraints = [
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=models.Q(merged_into=None),
                name="concept_once_a_project",
            ),
            models.CheckConstraint(
                condition=models.Q(merged_into=None) | models.Q(active=False),
                name="merged_concept_is_inactive",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """What its name is compared by."""
        return name_key(self.name)

    @property
    def keys(self) -> set[str]:
        """What its name and its aliases are compared by."""
        return {self.key, *map(name_key, self.aliases)}

    def is_named_by(self, text: str) -> bool:
        """Whether a text is its name, an alias or its phrase, however it is spelled."""
        return name_key(text) in self.keys | {name_key(self.phrase)}


class ConceptPhrase(models.Model):
    """A concept's phrase in another language than its project's."""

    concept = models.ForeignKey(Concept, models.CASCADE, related_name="phrases")
    language = models.CharField(max_length=20, help_text="A language tag, such as de or pt-BR.")
    phrase = models.CharField(max_length=100, help_text='With its article: "ein Fahrrad".')

    class Meta:
        ordering = ["language"]
        constraints = [
            models.UniqueConstraint(fields=["concept", "language"], name="phrase_once_a_language")
        ]

    def __str__(self) -> str:
        return self.phrase


class ExclusiveGroup(models.Model):
    """Concepts of which a whole picture shows one at most, as answers or an owner have shown.

    A recomputation learns them, and follows `ExclusionRule`s (`labeling.inference.exclusions`).
    Two concepts are together in one group at most.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="exclusive_groups")
    concepts = models.ManyToManyField(Concept, related_name="exclusive_groups")
    by_hand = models.BooleanField(
        default=False, help_text="Whether an owner said so, and answers have not shown it."
    )
    overlap = models.FloatField(
        help_text="Probability that they are independent on a picture all the same.",
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"exclusive group {self.pk} of {self.project}"


class ExclusionRule(models.Model):
    """What an owner says of two concepts, whatever answers show: both in one picture, or never."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="exclusion_rules")
    first = models.ForeignKey(Concept, models.CASCADE, related_name="+")
    second = models.ForeignKey(Concept, models.CASCADE, related_name="+")
    together = models.BooleanField(help_text="Whether one picture can show both.")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="rule_once_a_pair"),
            models.CheckConstraint(
                condition=models.Q(first__lt=models.F("second")), name="rule_first_is_lower"
            ),
        ]

    def __str__(self) -> str:
        how = "can be in one picture" if self.together else "are never in one picture"
        return f"“{self.first}” and “{self.second}” {how}"


class ClassSet(models.Model):
    """The folders of one import, each a class: a picture in one of them is in none of the others.

    What that says of a picture and the other classes is not stored question by question: it
    follows from the set (`labeling.beliefs`).
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="class_sets")
    concepts = ArrayField(
        models.BigIntegerField(),
        help_text="Their ids, ascending; twice where two classes were merged into one.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "concepts"], name="class_set_once_a_project")
        ]

    def __str__(self) -> str:
        return f"{len(self.concepts)} classes of {self.project}"

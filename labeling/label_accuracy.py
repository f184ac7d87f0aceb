"""How often labels are right, with 95 % intervals: by gold, or else by answers of people.

Spoken of are labels that people answered about, of whole pictures whose truth nobody told: what is
gold, or decided by a reviewer, proves nothing of them. They are judged by gold that was chosen
regardless of its answers, each by the label that it would have if its truth were unknown
(`Question.held_out`).

Without enough gold answers judge: those to questions of the random slice, and to settled ones that
check people. Of each question it is the first that tests a label which people had made before;
whoever gave it errs as often as is known of them. What most people get wrong alike is not found so.

Labels of pictures that nobody answered about are judged by the first answers to questions of the
random slice, which test what was believed before anybody was asked.

`labeling.aggregation.label_accuracy` is the estimator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Floor

from labeling.aggregation import online
from labeling.aggregation.answers import Floats, Ints
from labeling.aggregation.calibration import AnnotatorAccuracies
from labeling.aggregation.label_accuracy import LEAST, Judgements, Labels, estimate
from labeling.images import visible
from labeling.models import Annotator, Answer, Concept, ConceptExample, Project, Question, Snapshot
from labeling.numbers import count

NEWEST = 20_000  # answers of the random slice by which labels are judged
SCANNED = 200_000  # newest answers of all, among which those to checks are looked for
BINS = 1_000  # of the probabilities of labels
DIGITS = 4  # of a share
GOLD, ANSWERS = "gold", "answers"


@dataclass(frozen=True)
class Row:
    """How often labels of a concept, or of all, are right; None: too few were judged."""

    concept: int | None
    name: str
    labels: int  # that there are
    covered: int  # of which it speaks: those like which enough were judged
    judged: int  # gold questions, or answers
    by: str  # GOLD or ANSWERS
    accuracy: float | None = None  # 0 … 1
    low: float | None = None  # of its 95 % interval
    high: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it with its shares rounded."""
        shares = {name: getattr(self, name) for name in ("accuracy", "low", "high")}
        rounded = {key: None if s is None else round(s, DIGITS) for key, s in shares.items()}
        return asdict(self) | rounded


def measure(project: Project, *, include_generated: bool = False) -> dict[str, Any]:
    """Return how often the labels are right that people answered about, in all and by concept.

    `whole` and each of `concepts` have the fields of `Row`. In time linear in the questions.
    """
    concepts = list(project.concepts.filter(merged_into=None))
    believed = _answered(project, include_generated=include_generated)
    by_gold = _gold(project)
    by_answers = _Answers.read(project, of_people=True)
    judgements = {GOLD: by_gold, ANSWERS: by_answers}
    return {
        "whole": _row(None, believed, judgements).as_json(),
        "concepts": [_row(concept, believed, judgements).as_json() for concept in concepts],
    }


def of_snapshot(snapshot: Snapshot, unanswered: Mapping[tuple[str, int], int]) -> dict[str, Any]:
    """Return the same of the labels that a snapshot holds, for its manifest.

    unanswered: how many labels of each kind its rows hold that nobody answered about, by
    `unanswered`; how often they are right is `unanswered` in what is returned.
    """
    project = snapshot.project
    measured = measure(project, include_generated=snapshot.include_generated)
    ids = {row["name"]: row["concept"] for row in measured["concepts"]}
    counts = {(ids[name], place): n for (name, place), n in unanswered.items()}
    judgements = {ANSWERS: _Answers.read(project, of_people=False)}
    rows = [measured["whole"], *measured["concepts"]]
    rows.append(_row(None, _Believed.of_counts(counts), judgements).as_json())
    for row in rows:
        del row["concept"]  # the manifest tells concepts by their names
    return measured | {"unanswered": rows[-1]}


def unanswered(row: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the concept, and BINS · probability, of labels in a snapshot's row.

    Those that nobody answered about, and whose truth nobody told.
    """
    return [
        (each["name"], int(each["probability"] * BINS))
        for each in row["concepts"]
        if not each["answers"] and 0 < each["probability"] < 1
    ]


def sentences(measured: Mapping[str, Any]) -> list[str]:
    """Return in words how often the labels of a snapshot are right, as its manifest has it."""
    said = [sentence(measured["whole"])]
    if measured["unanswered"]["labels"]:
        said.append(sentence(measured["unanswered"], answered=False))
    return said


def sentence(row: Mapping[str, Any], *, answered: bool = True) -> str:
    """Return in words how often labels are right; answered: whether people answered about them."""
    whose = "that people answered about" if answered else "that nobody answered about"
    if not row["labels"]:
        return f"There are no labels {whose}."
    judged = _judges(row, answered=answered)
    if row["low"] is None:
        return (
            f"How often the {count(row['labels'], 'label')} {whose} are right is not known: "
            f"{judged} are too few to tell. From {LEAST} on there is an interval."
        )
    of = count(row["labels"], "label")
    if row["covered"] < row["labels"]:
        of = f"{row['covered']:,} of the {of}"
    accuracy, low, high = (f"{100 * row[name]:.1f}" for name in ("accuracy", "low", "high"))
    said = (
        f"Labels are right in {accuracy} % (95 % interval {low} to {high}): of {of} {whose}, "
        f"judged by {judged}."
    )
    if row["by"] == ANSWERS:
        said += " What most people get wrong alike is not found so."
    return said


def _judges(row: Mapping[str, Any], *, answered: bool) -> str:
    if row["by"] == GOLD:
        return count(row["judged"], "gold question")
    kind = "answer" if answered else "first answer"
    return f"{count(row['judged'], kind)} to questions that were drawn at random"


def annotator_accuracies(annotators: Sequence[int]) -> AnnotatorAccuracies:
    """Return what is known of annotators, in the order of their ids."""
    counts = [
        annotator.confusion_counts
        for annotator in Annotator.objects.filter(pk__in=annotators).order_by("pk")
    ]
    prior = online.PRIOR_RIGHT + online.PRIOR_WRONG
    return AnnotatorAccuracies(
        sensitivity=np.array([each.sensitivity for each in counts]),
        specificity=np.array([each.specificity for each in counts]),
        positives=np.array([each.tp + each.fn + prior for each in counts]),
        negatives=np.array([each.tn + each.fp + prior for each in counts]),
    )


def _row(
    concept: Concept | None, believed: "_Believed", judgements: Mapping[str, "_Answers"]
) -> Row:
    """Return how often labels are right, by the first kind of judgements of which there are enough.

    Without enough of any, what there is of the first.
    """
    pk, name = (concept.pk, concept.name) if concept else (None, "")
    labels = believed.of(pk).labels()
    total = int(labels.count.sum()) if labels.count is not None else 0
    first = None
    for by, judged in judgements.items():
        part = judged.of(pk)
        found = estimate(labels, part.judgements())
        if found is not None:
            return Row(
                *(pk, name, total, found.labels, found.judged, by),
                *(found.accuracy, found.low, found.high),
            )
        first = first or Row(pk, name, total, 0, len(part.probability), by)
    assert first is not None
    return first


@dataclass(frozen=True)
class _Believed:
    """Labels, counted by concept and probability."""

    concept: Ints  # (n,)
    bin: Ints  # (n,) BINS · probability, rounded down
    count: Ints  # (n,)

    @classmethod
    def of_counts(cls, counts: Mapping[tuple[int, int], int]) -> "_Believed":
        concept, bins = np.array(list(counts), np.intp).reshape(-1, 2).T
        return cls(concept, bins, np.array(list(counts.values()), np.intp))

    def of(self, concept: int | None) -> "_Believed":
        """Return those of a concept, or all."""
        if concept is None:
            return self
        own = self.concept == concept
        return _Believed(self.concept[own], self.bin[own], self.count[own])

    def labels(self) -> Labels:
        """Return them for the estimator."""
        probability = ((self.bin + 0.5) / BINS).clip(0, 1)
        group = _group(self.concept, self.bin >= BINS / 2)
        return Labels(_confidence(probability), group, self.count.astype(np.float64))


@dataclass(frozen=True)
class _Answers:
    """n judgements: labels' probabilities of yes, and what truths or answers say of them."""

    concept: Ints  # (n,)
    probability: Floats  # (n,)
    yes: Ints  # (n,) the truth, or the answer
    annotator: Ints | None = None  # (n,) who gave the answer, into …
    accuracies: AnnotatorAccuracies | None = None

    @classmethod
    def read(cls, project: Project, *, of_people: bool) -> "_Answers":
        """Read answers that test labels: those that people made, or those made without them."""
        rows = _first_answers(project, of_people=of_people)
        columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.zeros(0)] * 4
        concept, probability, value, annotator = columns
        ids, index = np.unique(annotator.astype(np.int64), return_inverse=True)
        accuracies = annotator_accuracies(ids.tolist())
        return cls(concept.astype(np.intp), probability, value.astype(np.intp), index, accuracies)

    def of(self, concept: int | None) -> "_Answers":
        """Return those about a concept, or all."""
        if concept is None:
            return self
        own = self.concept == concept
        annotator = None if self.annotator is None else self.annotator[own]
        columns = self.concept[own], self.probability[own], self.yes[own]
        return _Answers(*columns, annotator, self.accuracies)

    def judgements(self) -> Judgements:
        """Return them for the estimator."""
        label = self.probability >= 0.5
        labels = Labels(_confidence(self.probability), _group(self.concept, label))
        agrees = self.yes == label
        return Judgements(labels, agrees, label, self.annotator, self.accuracies)


def _answered(project: Project, *, include_generated: bool) -> "_Believed":
    """Return how many labels people made, by concept and probability."""
    rows = _about_pictures(project).filter(answers_count__gt=0, verdict=None)
    if not include_generated:
        rows = rows.exclude(source=Question.Source.MODEL)
    binned = rows.annotate(bin=Floor(F("probability") * BINS)).order_by()
    counted = binned.values_list("concept_id", "bin").annotate(n=Count("pk"))
    return _Believed.of_counts({(concept or 0, int(bin_)): n for concept, bin_, n in counted})


def _gold(project: Project) -> "_Answers":
    """Return what gold says, but for gold that is given away."""
    shown = ConceptExample.objects.filter(concept=OuterRef("concept"), tile=OuterRef("tile"))
    rows = (
        _about_pictures(project)
        .filter(state=Question.State.GOLD, held_out__isnull=False, practice=None)
        .exclude(Exists(shown))
        .order_by("pk")
        .values_list("concept_id", "held_out", "verdict")
    )
    columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.zeros(0)] * 3
    concept, probability, yes = columns
    return _Answers(concept.astype(np.intp), probability, yes.astype(np.intp))


def _first_answers(project: Project, *, of_people: bool) -> list[tuple[int, float, bool, int]]:
    """Return concept, probability before, value and annotator of answers, one a question."""
    earlier = Answer.objects.filter(question=OuterRef("question"), pk__lt=OuterRef("pk"))
    answers = Answer.objects.trusted().filter(
        Exists(earlier) if of_people else ~Exists(earlier),
        _is_about_pictures(project, "question__"),
        ~Q(question__source=Question.Source.MODEL),
        probability_before__gt=0,
        probability_before__lt=1,
    )
    columns = "question__concept_id", "probability_before", "value", "annotator_id"
    kinds = [answers.filter(reason=Answer.Reason.RANDOM)]
    if of_people:
        newest = Answer.objects.aggregate(newest=Max("pk"))["newest"] or 0
        kinds.append(answers.filter(reason=Answer.Reason.CHECK, pk__gt=newest - SCANNED))
    found = [
        row
        for rows in kinds
        for row in rows.order_by("-pk").values_list("pk", "question_id", *columns)[:NEWEST]
    ]
    first = {question: row for _, question, *row in sorted(found, reverse=True)}
    return [tuple(row) for row in first.values()]


def _about_pictures(project: Project) -> QuerySet[Question]:
    """Return the questions about whole pictures that are not asked about in parts."""
    return Question.objects.filter(_is_about_pictures(project))


def _is_about_pictures(project: Project, prefix: str = "") -> Q:
    """Return the condition of these; prefix: of the question's fields, such as `question__`."""
    fields = {
        "project": project,
        "kind": Question.Kind.CONCEPT,
        "grid": 1,
        "concept__merged_into": None,
        "tile__image__cut_into": 0,
    }
    of_question = Q(**{f"{prefix}{name}": value for name, value in fields.items()})
    return of_question & visible(f"{prefix}tile__image__")


def _group(concept: Ints, label: Any) -> Ints:
    """Return the group of labels: their concept, and whether they are yes."""
    group: Ints = 2 * concept + label
    return group


def _confidence(probability: Floats) -> Floats:
    return np.maximum(probability, 1 - probability)

"""What people, reviewers and a CLIP say of drawings: whether a picture shows its prompt.

What people say is what their answers say, at even odds before them: neither how common a concept is
among real pictures nor what a model predicted counts. That is apart, since models learn from both.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db.models import Q

from labeling.aggregation import online
from labeling.models import Concept, Image, Question

LEAST = 0.0001  # 0 says that too few have judged a drawing, or no CLIP has seen it
WHOLE = 1.0  # what answers must be worth: those of many whom nobody knows are worth little
_JUDGED = Q(answers_weight__gte=WHOLE) | Q(verdict__isnull=False)


class Verdict(NamedTuple):
    """Probabilities in (0, 1] that a drawing shows its prompt; 0 is unknown."""

    shows_prompt: float = 0.0  # by people
    fits_prompt: float = 0.0  # by the project's CLIP


def of_images(images: Iterable[Image], concepts: Sequence[Concept]) -> dict[int, Verdict]:
    """Return what is said of each drawing among images that people have judged, by image id.

    concepts: those that a prompt may name.
    """
    prompts = {image.pk: image.prompt for image in images if image.generated and image.prompt}
    if not prompts:
        return {}
    by_id = {concept.pk: concept for concept in concepts}
    judged = Question.objects.filter(_JUDGED, tile__image__in=prompts, grid=1).order_by("pk")
    verdicts = {}
    for question in judged.select_related("tile"):
        prompt, concept = prompts[question.tile.image_id], by_id.get(question.concept_id or 0)
        is_of_prompt = concept.is_named_by(prompt) if concept else question.text == prompt
        if is_of_prompt:
            verdicts[question.tile.image_id] = _verdict(question)
    return verdicts


def _verdict(question: Question) -> Verdict:
    predicted = question.model_probability
    return Verdict(_by_people(question), 0.0 if predicted is None else max(predicted, LEAST))


def _by_people(question: Question) -> float:
    """Return a posterior without its prior, or the truth where it is known."""
    if question.verdict is not None:
        return 1.0 if question.verdict else LEAST
    evidence = online.log_odds(question.probability) - online.log_odds(question.prior)
    return max(online.probability(evidence), LEAST)

"""What people and reviewers say of drawings: whether a generated picture shows its prompt.

It is what their answers say, at even odds before them: neither how common a concept is among real
pictures nor what a model predicted of the drawing counts, since models learn from it.
"""

from collections.abc import Iterable, Sequence

from django.db.models import Q

from labeling.aggregation import online
from labeling.models import Concept, Image, Question

LEAST = 0.0001  # 0 says that nobody has judged a drawing
_JUDGED = Q(answers_count__gt=0) | Q(verdict__isnull=False)


def of_images(images: Iterable[Image], concepts: Sequence[Concept]) -> dict[int, float]:
    """Return P(it shows its prompt), in (0, 1], of each judged drawing among images, by image id.

    concepts: those that a prompt may name.
    """
    prompts = {image.pk: image.prompt for image in images if image.generated and image.prompt}
    if not prompts:
        return {}
    by_id = {concept.pk: concept for concept in concepts}
    judged = Question.objects.filter(_JUDGED, tile__image__in=prompts, grid=1).order_by("pk")
    verdicts = {}
    for image, text, concept, probability, prior, verdict in judged.values_list(
        "tile__image", "text", "concept", "probability", "prior", "verdict"
    ):
        named = by_id[concept].is_named_by(prompts[image]) if concept in by_id else False
        if named or (concept is None and text == prompts[image]):
            verdicts[image] = _at_even_odds(probability, prior, verdict)
    return verdicts


def _at_even_odds(probability: float, prior: float, verdict: bool | None) -> float:
    """Return a posterior without its prior, or the truth where it is known."""
    if verdict is not None:
        return 1.0 if verdict else LEAST
    evidence = online.log_odds(probability) - online.log_odds(prior)
    return max(online.probability(evidence), LEAST)

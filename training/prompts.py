"""What to ask a project's models for: what the project knows best, and some of its captions."""

from django.db.models import Count, Q

from labeling.models import Concept, Project, Question
from labeling.models.questions import LIKELY_CAPTION
from labeling.snapshot_rows import in_split

CONCEPTS = 8
CAPTIONS = 4


def best_known_concepts(project: Project) -> list[Concept]:
    """Return the concepts that most tiles are known to show, the best known first.

    A tile counts where people's answers, or a known truth, are as certain as a settled label; what
    a model or an import alone believes does not. This counts all such questions of the project:
    for workers, never for a request.
    """
    known = Q(questions__answers_count__gt=0) | Q(questions__verdict__isnull=False)
    certain = Q(questions__probability__gte=project.settle_at)
    return list(
        project.concepts.filter(known, certain, active=True, merged_into=None)
        .annotate(tile_count=Count("questions"))
        .order_by("-tile_count", "name")[:CONCEPTS]
    )


def likely_captions(project: Project) -> list[str]:
    """Return a few captions of whole images that are more likely true than not.

    Models are measured by those of held-out images: what people said of drawings of these would
    teach nothing.
    """
    teaching = project.images.filter(in_split("train"), generated=False)
    captions = Question.objects.filter(
        LIKELY_CAPTION, project=project, tile__grid=1, tile__image__in=teaching
    ).order_by("random_key")
    return list(captions.values_list("text", flat=True)[:CAPTIONS])

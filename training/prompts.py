"""What to ask a project's models for: what the project knows best, and some of its captions."""

from django.db.models import Count

from labeling.models import Concept, Project, Question

CONCEPTS = 8
CAPTIONS = 4


def best_known_concepts(project: Project) -> list[Concept]:
    """Return the concepts that most tiles are believed to show, the best known first.

    This counts all questions of the project: for workers, never for a request.
    """
    return list(
        Concept.objects.filter(
            project=project, active=True, questions__probability__gte=project.settle_at
        )
        .annotate(tile_count=Count("questions"))
        .order_by("-tile_count", "name")[:CONCEPTS]
    )


def likely_captions(project: Project) -> list[str]:
    """Return a few captions of whole images that are more likely true than not."""
    captions = Question.objects.filter(
        project=project, kind=Question.Kind.CAPTION, probability__gte=0.5, tile__grid=1
    ).order_by("random_key")
    return list(captions.values_list("text", flat=True)[:CAPTIONS])

"""What a worker does for pools; the sweep over all of them is `labeling.tasks.fill_due_pools`."""

from celery import shared_task
from django.core.cache import cache

from labeling.enqueue import enqueue_on_commit
from labeling.models import Concept
from labeling.pools import filling

ENQUEUED_SECONDS = 10  # for which nobody else has the same pool filled


@shared_task
def fill_pool(concept_id: int, grid: int, wait: bool = True) -> None:
    """Top up one pool, unless no part of it is half used; without `wait`, if nobody else is."""
    concept = Concept.objects.select_related("project").filter(pk=concept_id).first()
    if concept is not None:
        filling.fill(concept, grid, wait=wait)


def fill_later(concept: int, grid: int) -> None:
    """Have a worker fill a pool soon; without a broker, the sweep over all pools will."""
    if cache.add(f"pool-enqueued:{concept}:{grid}", True, ENQUEUED_SECONDS):
        enqueue_on_commit(fill_pool, concept, grid)

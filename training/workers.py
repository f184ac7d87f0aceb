"""Whether any worker takes what waits in a queue, by the workers' signs of life."""

from datetime import datetime, timedelta

from django.db.models.functions import Now
from django.utils import timezone

from labeling.models import Heartbeat

ALIVE = timedelta(seconds=45)  # since a worker's last sign of life
PATIENCE = timedelta(seconds=10)  # until it is said: a worker may just be started again

DRAW, TRAIN = "draw", "train"
GPU = "train-gpu"  # for runs that want a GPU, which workers without one need not listen to


def are_missing(queue: str, *, since: datetime) -> bool:
    """Return whether something has waited in a queue for a while of which no worker takes any."""
    if timezone.now() - since < PATIENCE:
        return False
    alive = Heartbeat.objects.filter(kind=Heartbeat.Kind.WORKER, at__gt=Now() - ALIVE)
    return not alive.filter(queues__contains=[queue]).exists()

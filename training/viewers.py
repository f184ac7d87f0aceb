"""Which models somebody who sends a request may see pictures of."""

from django.db.models import QuerySet
from rest_framework.request import Request

from labeling.access import User
from labeling.api import visitors
from training import generators
from training.models import Generation, Model


def models(request: Request, *, user: User | None = None) -> QuerySet[Model]:
    """Return the models whose pictures the sender may see.

    user: where the request is none of the API, which authenticates by itself.
    """
    viewer = request.user if user is None else user
    annotator = None if viewer.is_authenticated else visitors.known(request)
    return generators.visible(viewer, annotator)


def generations(request: Request) -> QuerySet[Generation]:
    """Return the generations whose samples the sender may see."""
    return Generation.objects.filter(model__in=models(request).order_by().values("pk"))

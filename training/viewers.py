"""Which models somebody who sends a request may see pictures of."""

from django.db.models import QuerySet
from django.http import HttpRequest

from labeling import visitors
from labeling.access import User
from training import generators
from training.models import Generation, Model


def models(request: HttpRequest, user: User) -> QuerySet[Model]:
    """Return the models whose pictures the sender may see."""
    annotator = None if user.is_authenticated else visitors.known(request, user)
    return generators.visible(user, annotator)


def generations(request: HttpRequest, user: User) -> QuerySet[Generation]:
    """Return the generations whose samples the sender may see."""
    return Generation.objects.filter(model__in=models(request, user).order_by().values("pk"))

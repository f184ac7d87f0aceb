"""A web site, whose visitors pass by what a project knows of its pictures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from labeling.models import Project, Site


@pytest.fixture
def wood(db: None) -> Iterator["Project"]:
    """A project of pictures without files: of most it is known whether they show a bird."""
    from django.core.cache import cache

    from labeling.captcha import decks, limits
    from labeling.models import Project
    from tests.labeling.captcha import birds

    cache.clear()
    decks.forget()
    limits.forget()
    project = Project.objects.create(state="open", slug="wood", name="Wood")
    birds.add_known(project, yes=30, no=40)
    birds.add_open(project, 20)
    yield project
    decks.forget()
    limits.forget()


@pytest.fixture
def shop(wood: "Project") -> "Site":
    """A shop at shop.example, whose visitors are asked about the wood."""
    from labeling.models import Site

    return Site.objects.create(project=wood, name="Shop", hosts=["shop.example", "*.shop.example"])

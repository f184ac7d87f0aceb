"""Say, after something was removed, which snapshots hold it and how they are issued again."""

from collections.abc import Iterable

from django.core.management.base import OutputWrapper

from labeling import reissues
from labeling.models import Project


def say_consequences(out: OutputWrapper, projects: Iterable[Project]) -> None:
    """Print what is marked in each of the projects, and the command that issues it again."""
    for project in projects:
        if marked := str(reissues.consequences(project)):
            out.write(f"{marked}. To issue again: tessera reissue --project {project.slug}")

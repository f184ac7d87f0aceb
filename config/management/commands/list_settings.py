"""List every setting: what it is, and what it is set to here."""

import re
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config import environment
from config.environment import Variable


class Command(BaseCommand):
    help = "List every setting: an environment variable, or a line of the file .env."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--format",
            choices=FORMATS,
            default="set",
            help="set: what is set here, without secrets; env: a file .env to fill in; markdown:"
            " the table of docs/settings.md",
        )

    def handle(self, *args: Any, format: str, **options: Any) -> None:
        self.stdout.write(FORMATS[format]())


def markdown() -> str:
    """Return a table for each section, with headings of the third level."""
    head = ["| variable | default | meaning |", "|---|---|---|"]
    tables = []
    for title, variables in _sections().items():
        rows = [f"| `{each.name}` | {_default(each)} | {each.about} |" for each in variables]
        tables.append("\n".join([f"### {title}", "", *head, *rows]))
    return "\n\n".join(tables)


def env_file() -> str:
    """Return the lines of a file .env in which all is commented out."""
    parts = []
    for title, variables in _sections().items():
        lines = [f"# {each.about}\n#{each.name}={each.default}" for each in variables]
        parts.append("\n".join([f"## {title}", *lines]))
    return "\n\n".join(parts)


def what_is_set() -> str:
    """Return a line for each variable that is set, without the values of secrets."""
    lines = [f"{each.name}={_value(each)}" for each in environment.variables() if each.is_set]
    return "\n".join(lines) or "Nothing is set: every setting has its default."


def _sections() -> dict[str, list[Variable]]:
    sections: dict[str, list[Variable]] = {}
    for each in environment.variables():
        sections.setdefault(each.section, []).append(each)
    return sections


def _default(variable: Variable) -> str:
    if variable.shown:
        return variable.shown
    return f"`{variable.default}`" if variable.default else "none"


def _value(variable: Variable) -> str:
    """Return a value, without the password that an address may hold."""
    if variable.secret:
        return "(secret)"
    return re.sub(r"//[^/@\s]*@", "//(secret)@", environment.value(variable.name))


FORMATS = {"set": what_is_set, "env": env_file, "markdown": markdown}

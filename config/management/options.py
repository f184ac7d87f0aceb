"""Options of commands that are whole numbers within a range."""

from argparse import Action, ArgumentParser, Namespace
from typing import Any

from django.core.management.base import CommandError

MOST = 64  # processes, threads or tasks


def add_number(
    parser: ArgumentParser, name: str, *, default: int, help: str, most: int = MOST
) -> None:
    """Add an option that takes a number from 1 on; another is refused in a sentence."""
    parser.add_argument(
        name,
        action=_Number,
        default=default,
        most=most,
        help=f"{help} (%(default)s)",
    )


class _Number(Action):
    def __init__(self, *arguments: Any, most: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._most = most

    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        text = str(values)
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= self._most):
            raise CommandError(
                f"{option_string} must be a number from 1 to {self._most}, not {text}."
            )
        setattr(namespace, self.dest, int(text))

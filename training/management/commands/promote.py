"""`promote`: make a model the current one of its recipe, take it back, or undo the last change."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from labeling.numbers import parse_id
from training import promotion, tasks
from training.models import Model, Promotion


class Command(BaseCommand):
    """Overrule the comparison of a model."""

    help = "Make a model the current one of its recipe, take it back, or undo the last change."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the command line."""
        parser.add_argument("model", help="its number")
        parser.add_argument("--reason", required=True, help="why; the history keeps it")
        parser.add_argument("--by", required=True, metavar="USER", help="who decides so")
        other = parser.add_mutually_exclusive_group()
        other.add_argument(
            "--take-back", action="store_true", help="it is current no longer, and none is"
        )
        other.add_argument(
            "--undo", action="store_true", help="undo the last change of its recipe's current model"
        )

    def handle(self, *, model: str, by: str, reason: str, **options: Any) -> None:
        """Call one service, and say which model is the current one."""
        row = Model.objects.select_related("project").filter(pk=parse_id(model)).first()
        user = User.objects.filter(username=by).first()
        if row is None or user is None:
            missing = f"model “{model}”" if row is None else f"user “{by}”"
            raise CommandError(f"There is no {missing}.")
        try:
            if options["take_back"]:
                tasks.demote(model=row, by=user, reason=reason)
            elif options["undo"]:
                tasks.undo_promotion(change=_last_change(row), by=user, reason=reason)
            else:
                tasks.promote(model=row, by=user, reason=reason)
        except promotion.PromotionError as error:
            raise CommandError(str(error)) from None
        current = promotion.current_of(row.project_id, row.recipe)
        self.stdout.write(
            f"The {current} is the current one."
            if current
            else f"No {row.recipe} model is current."
        )


def _last_change(model: Model) -> Promotion:
    change = promotion.last_change(model.project_id, model.recipe)
    if change is None:
        raise CommandError(f"No change of the {model.recipe} model is left to be undone.")
    return change

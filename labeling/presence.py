"""Keep a picture from being removed while something is written about it."""

from django.db import connection
from django.utils.translation import gettext as _
from psycopg.errors import ForeignKeyViolation

from labeling.models import Project, Question, Tile

_HOLD_QUESTION = "SELECT id FROM labeling_question WHERE id = %s FOR KEY SHARE"
_HOLD_TILE = "SELECT id FROM labeling_tile WHERE id = %s FOR KEY SHARE"


class PictureGone(LookupError):
    """A picture was removed in the meantime; the message says so."""

    def __init__(self) -> None:
        super().__init__(_("This picture was removed meanwhile: nothing was stored about it."))


def is_of_deleted(error: Exception) -> bool:
    """Return whether somebody deleted the project, or what else a request is about, during it."""
    of_deleted = isinstance(error.__cause__, ForeignKeyViolation)
    return isinstance(error, Project.DoesNotExist) or of_deleted


def hold(*, tile: Tile | None = None, question: Question | None = None) -> None:
    """Keep a question and a tile from going until the transaction ends.

    A removal that came first is waited for; it locks in this order, too. Raises PictureGone.
    """
    with connection.cursor() as cursor:
        for query, row in ((_HOLD_QUESTION, question), (_HOLD_TILE, tile)):
            if row is None:
                continue
            cursor.execute(query, [row.pk])
            if cursor.fetchone() is None:
                raise PictureGone

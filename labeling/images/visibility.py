"""Which pictures are there for people: those of an import that is not done are not.

So nothing half-imported is asked about or shown; all of an import appears at once, as its row says
that it is done. A picture of an import that failed is there once another one that is done, or the
same one tried again, has brought it.
"""

from django.db.models import OuterRef, Q, Subquery
from django.db.models.lookups import IsNull

from labeling.models import Import, ImportStatement

State = Import.State
UNFINISHED = (
    *(State.FETCHING, State.READING, State.IMPORTING),
    *(State.FAILED, State.CANCELLED, State.UNDOING),
)


# The same for a query that reads `labeling_image` under that name.
VISIBLE = f"""(
    imported_by_id IS NULL
    OR imported_by_id NOT IN (
        SELECT id FROM labeling_import
        WHERE state IN ({", ".join(f"'{state}'" for state in UNFINISHED)})
    ) OR EXISTS (
        SELECT FROM labeling_importstatement AS statement
        JOIN labeling_import AS done ON done.id = statement.imported_by_id
        WHERE statement.image_id = labeling_image.id AND done.state = '{State.DONE}'
    )
)"""


def visible(prefix: str = "") -> Q:
    """Return the condition that a picture is there for people.

    prefix: of the picture's fields, such as `image__`. The imports are looked up once a query, and
    statements for such a picture alone: by a subquery with a limit, as PostgreSQL would look all
    of them up for an EXISTS.
    """
    unfinished = Import.objects.filter(state__in=UNFINISHED).order_by().values("pk")
    by_another = ImportStatement.objects.filter(
        image=OuterRef(f"{prefix}pk"), imported_by__state=State.DONE
    )
    by_none = IsNull(Subquery(by_another.order_by().values("pk")[:1]), True)
    return ~(Q((f"{prefix}imported_by__in", unfinished)) & Q(by_none))

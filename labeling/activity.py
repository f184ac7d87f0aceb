"""What came into a project each day of the last two weeks: pictures, answers, labels."""

from dataclasses import dataclass

from django.db import connection

from labeling.images import VISIBLE
from labeling.models import Project

DAYS = 14
WEEK = 7

# Each condition is that of an index; a day ends now, and not at midnight.
_QUERIES = {
    "pictures": f"""
        SELECT {{day}}, count(*) FROM labeling_image
        WHERE project_id = %(project)s AND NOT generated AND {{recent}} AND {VISIBLE} GROUP BY 1
    """,
    "answers": """
        SELECT {day}, sum(cardinality(array_remove(reasons, 'shown')))
        FROM labeling_challenge
        WHERE project_id = %(project)s AND answered_at IS NOT NULL AND NOT skipped AND {recent}
        GROUP BY 1
    """,
    "labels": """
        SELECT {day}, count(*) FROM labeling_question
        WHERE project_id = %(project)s AND settled_at IS NOT NULL AND {recent} GROUP BY 1
    """,
}
_TIMES = {"pictures": "created_at", "answers": "created_at", "labels": "settled_at"}


@dataclass(frozen=True)
class Activity:
    """Counts by day, `DAYS` of them, the oldest first."""

    pictures: list[int]
    answers: list[int]  # to challenges; not those that a file brought
    labels: list[int]

    @staticmethod
    def this_week(days: list[int]) -> int:
        """Return the sum of the last `WEEK` days."""
        return sum(days[-WEEK:])


def measure(*, project: Project) -> Activity:
    """Count what came in each of the last `DAYS` days."""
    return Activity(**{name: _by_day(name, project) for name in _QUERIES})


def _by_day(name: str, project: Project) -> list[int]:
    time = _TIMES[name]
    query = _QUERIES[name].format(
        day=f"floor(extract(epoch FROM now() - {time}) / 86400)::int",
        recent=f"{time} > now() - interval '1 day' * %(days)s",
    )
    counts = [0] * DAYS
    with connection.cursor() as cursor:
        cursor.execute(query, {"project": project.pk, "days": DAYS})
        for days_ago, count in cursor.fetchall():
            counts[DAYS - 1 - min(max(days_ago, 0), DAYS - 1)] += int(count)
    return counts

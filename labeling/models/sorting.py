"""The order of names: letters with marks beside those without, capitals beside small ones."""

from django.db.models import Func


class SortKey(Func):
    """What a name is sorted by: without case and without combining marks (NFD).

    It does without collations of ICU, which not every build of PostgreSQL has; the order is that of
    no language in particular.
    """

    template = "lower(regexp_replace(normalize(%(expressions)s, NFD), '[\u0300-\u036f]', '', 'g'))"


BY_NAME = (SortKey("name"), "name")

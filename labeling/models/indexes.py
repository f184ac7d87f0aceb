"""Indexes that not every PostgreSQL can have."""

from typing import Any

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db.backends.ddl_references import Statement
from django.db.models.functions import Upper

# The errors are those of a server on which the extension is not installed, of a user who may not
# create it, and of one to whom its schema is not visible.
_CREATE = """DO $do$ BEGIN
CREATE EXTENSION IF NOT EXISTS pg_trgm;
%(create)s;
EXCEPTION WHEN feature_not_supported OR undefined_file OR insufficient_privilege OR undefined_object
THEN RAISE WARNING 'Without the extension pg_trgm, the index %(name)s is left out: %%', SQLERRM;
END $do$"""


class TrigramIndex(GinIndex):
    """An index by which a part of a text is found, as `icontains` asks for it.

    It needs the extension pg_trgm, which comes with PostgreSQL, and which the owner of a database
    may create; some packages leave it out. Without it the index is left out, and the same rows are
    found by reading all.
    """

    def __init__(self, field: str, *, name: str) -> None:
        super().__init__(OpClass(Upper(field), name="gin_trgm_ops"), name=name)
        self.field = field

    def deconstruct(self) -> tuple[str, Any, dict[str, Any]]:
        """Return how a migration makes it again."""
        path, _, _ = super().deconstruct()
        return path, (self.field,), {"name": self.name}

    def create_sql(
        self, model: Any, schema_editor: Any, using: str = "", **kwargs: Any
    ) -> Statement:
        """Return the statement that makes the extension and the index, or neither."""
        create = super().create_sql(model, schema_editor, using=using, **kwargs)
        return Statement(_CREATE, create=create, name=self.name)

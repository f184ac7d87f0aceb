"""Create the tables of an app from models that are made once, not anew after each table.

Django makes all models again that lead to one that was added: most of the seconds of a first start.
"""

from itertools import takewhile

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import CreateModel
from django.db.migrations.state import ProjectState


class Migration(migrations.Migration):
    """A migration that begins with new tables."""

    def apply(
        self,
        project_state: ProjectState,
        schema_editor: BaseDatabaseSchemaEditor,
        collect_sql: bool = False,
    ) -> ProjectState:
        """Create the tables that it begins with, then do the rest; return the state after it."""
        if collect_sql:
            return super().apply(project_state, schema_editor, collect_sql)
        created = list(takewhile(lambda each: isinstance(each, CreateModel), self.operations))
        models = {key: model.clone() for key, model in project_state.models.items()}
        state = ProjectState(models, project_state.real_apps)  # whose models are not made yet
        for operation in created:
            operation.state_forwards(self.app_label, state)
        for operation in created:
            operation.database_forwards(self.app_label, schema_editor, project_state, state)
        rest = migrations.Migration(self.name, self.app_label)
        # Django copies these to each migration itself, which its stubs do not say.
        rest.operations = self.operations[len(created) :]  # type: ignore[misc]
        return rest.apply(state, schema_editor)

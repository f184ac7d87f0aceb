"""The right to do something that belongs to no row, on one of all machines at a time."""

from django.db import models

from labeling.models.lease import Leased


class NamedLease(Leased):
    """A lease that anybody may take under a name, and what its holder leaves to the next one."""

    name = models.CharField(max_length=100, primary_key=True)
    state = models.JSONField(default=dict, editable=False)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

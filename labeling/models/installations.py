"""What tells this installation from others that might use its storage by mistake."""

import uuid

from django.db import models


class Installation(models.Model):
    """This installation, in its only row; the storage names it, too."""

    number = models.PositiveSmallIntegerField(primary_key=True, default=1)
    key = models.UUIDField(default=uuid.uuid4, help_text="As in the storage's tessera.txt.")

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=models.Q(number=1), name="installation_is_one"),
        ]

    def __str__(self) -> str:
        return str(self.key)

"""A folder of the storage that nothing names any more, until it is deleted there."""

from django.db import models


class FolderDeletion(models.Model):
    name = models.CharField(max_length=400, help_text="In the storage.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name

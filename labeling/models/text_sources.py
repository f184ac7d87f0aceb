"""Where the texts of an import come from, as far as its rows say it themselves."""

from django.db import models

from labeling.models.imports import Import


class TextSource(models.Model):
    """A place in an import from which texts come: one row for all texts that say the same.

    What holds for the whole import (its vendor, batch, license, price) is the import's own; what a
    row of it says otherwise, and where the row was read, is here. A million texts of files beside
    their pictures have one row together; texts that name an address each have one each.
    """

    imported_by = models.ForeignKey(
        Import, models.CASCADE, related_name="text_sources", db_index=False
    )
    layout = models.CharField(max_length=60, blank=True, help_text="How its file is written.")
    file = models.CharField(
        max_length=300, blank=True, help_text="Empty: a file that is named as the picture."
    )
    url = models.CharField(max_length=1000, blank=True)
    license = models.CharField(max_length=200, blank=True)
    date = models.CharField(max_length=40, blank=True, help_text="As it is written.")
    vendor = models.CharField(max_length=200, blank=True)
    digest = models.CharField(max_length=64, editable=False, help_text="Of all these values.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["imported_by", "digest"], name="text_source_once_an_import"
            )
        ]
        indexes = [
            models.Index(
                fields=["vendor"], condition=~models.Q(vendor=""), name="text_source_of_vendor"
            )
        ]

    def __str__(self) -> str:
        return self.url or self.file or self.layout or str(self.imported_by)

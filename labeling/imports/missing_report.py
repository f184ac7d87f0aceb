"""What came of a bucket that failed on the way, and what is missing: the report until then."""

from django.core.files.storage import default_storage

from labeling.imports.report import Outcome, Report
from labeling.models import Import


def keep(record: Import) -> None:
    """Keep a table of the files of an import whose lease is held, in place of an earlier one."""
    earlier = str(record.report.name or "")
    with Report.of_import() as report:
        for row in record.uploaded_files.order_by("number").iterator():
            if row.problem:
                report.note(row.path, Outcome.REFUSED, row.problem)
            else:
                is_whole = row.received >= row.size
                report.note(row.path, Outcome.FETCHED if is_whole else Outcome.MISSING)
        record.renew(report=report.save(str(record.pk)))
    if earlier:
        default_storage.delete(earlier)

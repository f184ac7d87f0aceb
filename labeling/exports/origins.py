"""Which pictures and texts an export's options choose by where they come from."""

from typing import Any

from labeling.exports.options import Options
from labeling.snapshot_folder import Row


def chooses_picture(row: Row, options: Options) -> bool:
    """Whether a picture is chosen: by its own licence, and by where it or a text of it is from."""
    if options.license and row["license"] != options.license:
        return False
    return any(_comes_from(origin, options) for origin in row["provenance"])


def chooses(row: Row, place: int, options: Options) -> bool:
    """Whether a caption or box is chosen that comes from that place of the row's `provenance`.

    place: -1 where somebody wrote it here: no licence of an import holds for it.
    """
    if not 0 <= place < len(row["provenance"]):
        return not (options.vendor or options.batch or options.imported_by)
    origin = row["provenance"][place]
    has_license = options.license in ("", origin["license"])
    return has_license and _comes_from(origin, options)


def _comes_from(origin: dict[str, Any], options: Options) -> bool:
    return (
        options.vendor in ("", origin["vendor"])
        and options.batch in ("", origin["batch"])
        and options.imported_by in (0, origin["import_id"])
    )

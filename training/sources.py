"""The stored folders of snapshots and models, as files of this machine."""

from pathlib import Path

from labeling import stored_folders
from labeling.models import Snapshot
from labeling.stored_folders import FolderMissing
from training.models import Model


def fetch(row: Snapshot | Model) -> Path:
    """Return the local folder of a snapshot or model. Raises FolderMissing and StorageAway."""
    try:
        return stored_folders.fetch(row.folder)
    except FolderMissing as error:
        raise FolderMissing(missing(row)) from error


def missing(row: Snapshot | Model) -> str:
    """Return what to say where the storage lacks the folder of a row."""
    noun = f"snapshot {row.pk}" if isinstance(row, Snapshot) else str(row)
    return f"The files of {noun} are not in the storage ({row.folder})."

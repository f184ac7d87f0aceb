"""Make a backup while people answer: the files, the database of one moment, the files since."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from django.apps import apps
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection, models, transaction

import labeling
from config.backup import manifest as manifests
from config.backup import stored, tables
from config.backup.errors import BackupError
from config.backup.manifest import Manifest, StoredFile
from config.backup.places import Place, object_name
from config.backup.stored import Found
from config.monitoring import identity
from labeling.stored_folders import ownership

AT_ONCE = 8  # files that are copied at once: a bucket takes long for each
LOCK = 0xBAC4B  # PostgreSQL's advisory lock of this number: one backup at a time


@dataclass
class Made:
    """What a backup came to."""

    manifest: Manifest
    copied: int  # files that had to be read
    missing: list[str]  # files that the database names and the storage does not have


def make(place: Place, *, keep: int = 0, say: Callable[[str], None] = lambda _: None) -> Made:
    """Back up into a place; then let only the `keep` newest backups stay there (0: all).

    Raises BackupError, and StorageAway where the storage is not this installation's.
    """
    with connection.cursor() as cursor:
        ownership.expect(tables.installation(cursor))
    ownership.check()
    with _alone():
        copier = _Copier(place)
        say("Copying the files.")
        copier.copy()
        say("Writing the tables.")
        with tables.one_moment() as cursor:
            migrations = tables.migrations(cursor)
            dumped = list(tables.dump(cursor, place))
            named = _named_files()
        copier.copy()  # those that came while the first were copied
        made = Manifest(
            made_at=manifests.now(),
            version=labeling.__version__,
            postgresql=_version_of_server(),
            key=identity.of_key(),
            migrations=migrations,
            tables=dumped,
            sequences=_sequences(),
            files=manifests.keep_files(place, copier.files),
            file_count=len(copier.files),
        )
        manifests.write(place, made)
        if keep:
            say("Deleting what only older backups need.")
            prune(place, keep=keep)
    return Made(made, copier.copied, sorted(named - copier.files.keys()))


def prune(place: Place, *, keep: int) -> None:
    """Delete all but the newest backups, and the contents that only those needed."""
    names = manifests.names(place)
    needed = {
        content.name
        for name in names[-keep:]
        for content in manifests.contents_of(place, manifests.read(place, name))
    }
    for name in names[:-keep]:
        place.delete(f"{manifests.FOLDER}/{name}.json")
    for name in place.names("objects"):
        if name not in needed:
            place.delete(name)


class _Copier:
    """Copies the files of the storage, but for those that an earlier backup has."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._held = set(place.names("objects"))
        self._known = self._of_the_newest_backup()
        self.files: dict[str, StoredFile] = {}
        self.copied = 0

    def copy(self) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for file in pool.map(self._copied, stored.walk(default_storage)):
                if file:
                    self.files[file.name] = self._known[file.name] = file

    def _copied(self, found: Found) -> StoredFile | None:
        """Return a file that is in the backup; None if it was deleted meanwhile."""
        known = self._known.get(found.name)
        if known and known.stamp == found.stamp and object_name(known.sha256) in self._held:
            return known
        try:
            with default_storage.open(found.name) as content:
                kept = self._place.keep(content)
        except FileNotFoundError:
            return None
        self._held.add(kept.name)
        self.copied += 1
        return StoredFile(found.name, kept.sha256, kept.size, found.stamp)

    def _of_the_newest_backup(self) -> dict[str, StoredFile]:
        if not manifests.names(self._place):
            return {}
        newest = manifests.read(self._place)
        return {file.name: file for file in manifests.read_files(self._place, newest)}


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other backups out, by a lock that its connection holds. Raises BackupError."""
    other = connection.copy()
    try:
        other.set_autocommit(False)  # an idle transaction without a snapshot keeps nothing
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                raise BackupError("Another backup is being made: wait until it is done.")
        yield
    finally:
        other.close()


def _named_files() -> set[str]:
    """Return the files that rows name; none of a table that is of another version."""
    names: set[str] = set()
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, models.FileField):
                rows = model._base_manager.exclude(**{field.name: ""})
                try:
                    with transaction.atomic():
                        names.update(rows.values_list(field.name, flat=True).iterator())
                except DatabaseError:
                    continue
    return names - {None}


def _sequences() -> dict[str, int | None]:
    with connection.cursor() as cursor:
        return tables.sequences(cursor)


def _version_of_server() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return str(cursor.fetchone()[0])

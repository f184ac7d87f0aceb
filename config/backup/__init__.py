"""Back up the database and the stored files, and restore both elsewhere.

A backup is a place, a folder or a prefix of a bucket, with

    objects/ab/ab12…              contents, named by their SHA-256: shared ones are there once
    backups/20260102T030405Z.json  a manifest a backup, written last: it names all that is in it

Tables are kept as PostgreSQL's COPY writes them, compressed, all of one moment. So a backup needs
no program beside Tessera, goes through a pooler, and can be restored into another version of
PostgreSQL. What is not in it: sessions, the secret key, caches, and files of unfinished uploads.
"""

from config.backup.errors import BackupError, in_a_sentence
from config.backup.making import make
from config.backup.manifest import Manifest
from config.backup.places import Place, place_at
from config.backup.restoring import restore, verify

__all__ = [
    "BackupError",
    "Manifest",
    "Place",
    "in_a_sentence",
    "make",
    "place_at",
    "restore",
    "verify",
]

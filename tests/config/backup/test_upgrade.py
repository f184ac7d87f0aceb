"""Backups of earlier versions: today's restores them, and brings them up to itself.

`scripts/keep_version.py` writes one at each release. While the first version is not released, its
migrations are rewritten and its backup may be of tables that there never will be.
"""

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

import labeling
from config import backup, servers
from config.backup import manifest
from config.backup.places import Folder
from labeling.models import Project
from labeling.stored_folders import ownership

ROOT = Path(__file__).parents[3]
VERSIONS = sorted(Path(__file__).with_name("versions").glob("*.tar"))
NAME = "upgraded"


@pytest.fixture
def url(db: None) -> Iterator[str]:
    """Return the address of an empty database."""
    admin = servers.database_url(servers.data_dir(), name="postgres")
    with psycopg.connect(admin, autocommit=True) as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {NAME}")
        cursor.execute(f"CREATE DATABASE {NAME}")
        yield servers.database_url(servers.data_dir(), name=NAME)
        cursor.execute(f"DROP DATABASE {NAME} WITH (FORCE)")


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_a_backup_of_an_earlier_version_is_restored(path: Path, url: str, tmp_path: Path) -> None:
    with tarfile.open(path) as tar:
        tar.extractall(tmp_path / "backup", filter="data")
    kept = manifest.read(Folder(tmp_path / "backup"))
    if kept.version == labeling.__version__ and is_of_other_tables(kept):
        pytest.skip(f"{kept.version} is not released, and its tables have changed since.")
    done = subprocess.run(
        [sys.executable, "manage.py", "restore", str(tmp_path / "backup")],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "SECRET_KEY is another one" in done.stderr
    with psycopg.connect(url) as cursor:
        for table in kept.tables:
            if table.name in {"labeling_answer", "labeling_image", "labeling_snapshot"}:
                row = cursor.execute(f"SELECT count(*) FROM {table.name}").fetchone()
                assert row == (table.rows,) and table.rows, table.name
    media = tmp_path / "data" / "media"
    files = [path for path in media.rglob("*") if path.is_file() and path.name != ownership.FILE]
    assert len(files) == kept.file_count


def is_of_other_tables(kept: manifest.Manifest) -> bool:
    """Whether the tables of a backup have other columns than today's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, array_agg(column_name::text) FROM information_schema.columns"
            " WHERE table_schema = current_schema() GROUP BY 1"
        )
        today = {name: set(columns) for name, columns in cursor.fetchall()}
    return any(set(table.columns) != today.get(table.name) for table in kept.tables)


@pytest.mark.django_db(transaction=True)
def test_a_later_version_adds_to_the_tables_of_an_earlier_one(
    shapes: Project, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    place = Folder(tmp_path / "backup")
    backup.make(place)
    settings.MIGRATION_MODULES = {"labeling": "tests.config.backup.migrations"}
    try:
        backup.restore(place, replace=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT slug, colour FROM labeling_project")
            assert cursor.fetchall() == [("shapes", "as it was")]
    finally:
        MigrationExecutor(connection).migrate([("labeling", "0001_initial")])

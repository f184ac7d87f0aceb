from pathlib import Path

import pytest

from config.servers import EmbeddedError, identity, programs
from config.servers.postgresql import PostgreSQL


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a machine without the extra, on whose PATH nothing lies yet."""
    monkeypatch.setattr(programs, "_package", lambda name: None)
    monkeypatch.setattr(programs, "OFF_THE_PATH", ())
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    (tmp_path / "path").mkdir()
    for function in (programs.find_postgresql, programs.find_valkey, programs._major):
        monkeypatch.setattr(programs, function.__name__, function.__wrapped__)
    return tmp_path


def _install(folder: Path, name: str, says: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)


def _install_postgresql(folder: Path, version: str) -> None:
    _install(folder, "initdb")
    _install(folder, "postgres", f"postgres (PostgreSQL) {version} (Debian)")


def test_postgresql_is_where_pg_config_says(machine: Path) -> None:
    _install(machine / "path", "pg_config", str(machine / "server"))
    _install_postgresql(machine / "server", "16.4")
    assert programs.find_postgresql() == machine / "server"
    assert programs.postgresql_version() == 16


def test_without_pg_config_it_is_found_on_the_path_and_where_systems_keep_it(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("9", "15", "18"):
        _install_postgresql(machine / version / "bin", f"{version}.1")
    monkeypatch.setattr(programs, "OFF_THE_PATH", (f"{machine}/*/bin".lstrip("/"),))
    assert programs.find_postgresql() == machine / "18" / "bin"
    (machine / "path" / "postgres").symlink_to(machine / "15" / "bin" / "postgres")
    assert programs.find_postgresql() == machine / "15" / "bin"


def test_the_client_of_postgresql_alone_is_no_server(machine: Path) -> None:
    _install(machine / "path", "pg_config", str(machine / "path"))
    with pytest.raises(EmbeddedError, match=r"there is none: pip install .*Debian: postgresql"):
        programs.find_postgresql()


def test_a_postgresql_that_is_too_old_is_named(machine: Path) -> None:
    _install_postgresql(machine / "path", "14.2")
    with pytest.raises(EmbeddedError, match=r"15 or newer is needed, and the one in .* is 14"):
        programs.find_postgresql()


def test_valkey_may_be_a_redis(machine: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"Valkey is needed.*Debian: valkey-server"):
        programs.find_valkey()
    for name in ("redis-server", "valkey-server"):
        _install(machine / "path", name)
        assert programs.find_valkey() == str(machine / "path" / name)


def test_a_database_of_another_version_is_left_alone(
    machine: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "choose", lambda: identity.AS_IS)
    _install_postgresql(machine / "path", "16.4")
    (data_dir / "postgresql").mkdir(parents=True)
    (data_dir / "postgresql" / "PG_VERSION").write_text("18\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 18, and the one found is 16"):
        PostgreSQL(data_dir).prepare()

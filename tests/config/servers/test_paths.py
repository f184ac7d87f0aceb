import stat
from pathlib import Path

import pytest

from config import servers


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("exists", [False, True])
def test_a_data_folder_is_private(data_dir: Path, exists: bool) -> None:
    if exists:
        data_dir.mkdir(mode=0o755)
        (data_dir / "postgresql").mkdir()
    servers.make_data_dir(data_dir)
    assert _mode(data_dir) == 0o700


@pytest.mark.parametrize(("mode", "kept"), [(0o2770, 0o2770), (0o2755, 0o2750), (0o2705, 0o700)])
def test_only_its_group_may_enter_a_data_folder_shared_on_purpose(
    data_dir: Path, mode: int, kept: int
) -> None:
    data_dir.mkdir()
    data_dir.chmod(mode)
    servers.make_data_dir(data_dir)
    assert _mode(data_dir) == kept


def test_a_folder_with_other_files_in_it_is_left_alone(data_dir: Path) -> None:
    data_dir.mkdir()
    data_dir.chmod(0o755)
    (data_dir / "letters").touch()
    with pytest.raises(servers.EmbeddedError, match="holds other files: set DATA_DIR"):
        servers.make_data_dir(data_dir)
    assert _mode(data_dir) == 0o755


@pytest.mark.parametrize(
    "names", [("lib", "lock"), ("etc", "media"), ("alternatives", "postgresql")]
)
def test_a_folder_of_the_system_is_left_alone(data_dir: Path, names: tuple[str, ...]) -> None:
    for name in names:  # as in /var, / and /var/lib
        (data_dir / name).mkdir(mode=0o755, parents=True)
    data_dir.chmod(0o755)
    with pytest.raises(servers.EmbeddedError, match="holds other files: set DATA_DIR"):
        servers.make_data_dir(data_dir)
    assert _mode(data_dir) == 0o755


@pytest.mark.parametrize("names", [("media",), ("media", "lost+found"), ("logs", "notes")])
def test_a_folder_that_tessera_made_or_that_holds_its_parts_is_used(
    data_dir: Path, names: tuple[str, ...]
) -> None:
    for name in names:  # media may be a volume of its own; whoever works here may add notes
        (data_dir / name).mkdir(parents=True)
    servers.make_data_dir(data_dir)
    assert _mode(data_dir) == 0o700


def test_servers_write_files_that_are_nobody_elses(data_dir: Path) -> None:
    with servers.ensure(data_dir):
        files = [*data_dir.rglob("*"), *servers.socket_dir(data_dir).iterdir()]
        open_to_others = [path for path in files if path.is_file() and _mode(path) & 0o077]
    assert open_to_others == []


def test_sockets_have_short_paths_however_deep_the_data_folder_lies(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["folder" * 8] * 6)
    assert len(str(servers.socket_dir(deep) / ".s.PGSQL.5432.lock")) < 100
    assert servers.socket_dir(deep) != servers.socket_dir(tmp_path)


def test_a_data_folder_that_cannot_be_made_gives_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(servers.EmbeddedError, match="set DATA_DIR to a folder"):
        servers.ensure(tmp_path / "file" / "data").__enter__()


def test_a_link_in_place_of_the_sockets_folder_is_not_followed(
    data_dir: Path, tmp_path: Path
) -> None:
    sockets = servers.socket_dir(data_dir)
    sockets.symlink_to(tmp_path)
    try:
        with pytest.raises(servers.EmbeddedError, match="is not a folder of this user"):
            servers.ensure(data_dir).__enter__()
    finally:
        sockets.unlink()

"""Settings that are read from the environment, from .env and from files of secrets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import environment
from tests.config.demo import ROOT


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch, tmp_path):
    """Nothing declared here, and nothing taken from a file, outlasts a test."""
    monkeypatch.setattr(environment, "_variables", {})
    monkeypatch.setattr(environment, "_names_of_file", {})
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ENV_FILE", raising=False)


def test_hosts_are_named_without_scheme_and_port(monkeypatch):
    monkeypatch.setenv("FRIENDS", "labels.example.org, ::1,127.0.0.1")
    assert environment.hosts("FRIENDS", about="") == ["labels.example.org", "::1", "127.0.0.1"]


@pytest.mark.parametrize("wrong", ["http://127.0.0.1", "127.0.0.1:8000", "a.example/hook"])
def test_an_address_is_no_host(monkeypatch, wrong):
    monkeypatch.setenv("FRIENDS", wrong)
    with pytest.raises(ImproperlyConfigured, match="no scheme or port"):
        environment.hosts("FRIENDS", about="")


@pytest.mark.parametrize("wrong", ["", "-1", "1.5", "²", "many", "0", "11", "1_0", "9" * 5000])
def test_a_number_is_whole_and_in_its_range(monkeypatch, wrong):
    monkeypatch.setenv("COUNT", wrong)
    if not wrong:
        assert environment.number("COUNT", 3, least=1, about="") == 3
        return
    with pytest.raises(ImproperlyConfigured, match="COUNT must be a whole number from 1 to 10, "):
        environment.number("COUNT", 3, least=1, most=10, about="")


def test_a_choice_that_there_is_not_is_named_with_those_that_there_are(monkeypatch):
    monkeypatch.setenv("TRACKER", "excel")
    with pytest.raises(ImproperlyConfigured, match="TRACKER must be a, b or c, not 'excel'"):
        environment.text("TRACKER", options=("a", "b", "c"), about="")


def test_the_environment_goes_before_the_file(monkeypatch):
    Path(".env").write_text('# mine\nPORT=81\nexport NAME="a b"\nPRICE=$5\n')
    monkeypatch.setenv("PORT", "82")
    environment.read_file()
    read = [environment.text(name, about="") for name in ("PORT", "NAME", "PRICE")]
    assert read == ["82", "a b", "$5"]


def test_another_file_may_be_named_and_must_exist(monkeypatch):
    Path("production.env").write_text("NAME=x\n")
    monkeypatch.setenv("ENV_FILE", "production.env")
    environment.read_file()
    assert environment.text("NAME", about="") == "x"
    monkeypatch.setenv("ENV_FILE", "nothing.env")
    with pytest.raises(ImproperlyConfigured, match=r"nothing\.env cannot be read: No such file"):
        environment.read_file()


def test_a_misspelt_name_in_the_file_is_refused_and_a_strange_one_is_left_to_others():
    Path(".env").write_text("ALOWED_HOSTS=x\n")
    environment.items("ALLOWED_HOSTS", about="")
    environment.read_file()
    with pytest.raises(ImproperlyConfigured, match=r"ALOWED_HOSTS is no setting. Is ALLOWED_HOSTS"):
        environment.check_names()
    environment._names_of_file.clear()
    Path(".env").write_text("POSTGRES_PASSWORD=x\nALLOWED_HOSTS=y\n")
    environment.read_file()
    environment.check_names()


def test_a_line_of_the_file_without_a_value_is_refused():
    Path(".env").write_text("DEBUG\n")
    with pytest.raises(ImproperlyConfigured, match="“DEBUG” lacks a value"):
        environment.read_file()


def test_a_file_that_an_editor_of_windows_wrote_is_read():
    Path(".env").write_bytes('\ufeffNAME=é\r\nTEXT="one\r\ntwo"\r\nLAST=\'$x "y"\'\r\n'.encode())
    environment.read_file()
    read = [environment.text(name, about="") for name in ("NAME", "TEXT", "LAST")]
    assert read == ["é", "one\ntwo", '$x "y"']


@pytest.mark.parametrize("line", ["KEY='s3cret", 'KEY="s3cret"x', "KEY=s3cret\0"])
def test_a_line_of_the_file_that_cannot_be_read_is_refused_and_not_told(line):
    Path(".env").write_text(f"# mine\n\n{line}\nDEBUG=0\n")
    with pytest.raises(ImproperlyConfigured, match="what begins in line 3 cannot") as refusal:
        environment.read_file()
    assert "s3cret" not in str(refusal.value)


def test_a_file_that_lies_about_and_others_can_write_is_not_read_unasked(monkeypatch):
    Path(".env").write_text("NAME=x\n")
    Path(".env").chmod(0o666)
    with pytest.raises(ImproperlyConfigured, match=r"another user can write it: set ENV_FILE=/.*"):
        environment.read_file()
    monkeypatch.setenv("ENV_FILE", ".env")
    environment.read_file()
    assert environment.text("NAME", about="") == "x"


def test_a_file_that_others_can_read_is_told():
    Path(".env").write_text("NAME=x\n")
    Path(".env").chmod(0o600)
    environment.read_file()
    assert environment.read_by_others() == ""
    Path(".env").chmod(0o644)
    assert environment.read_by_others() == str(Path(".env").absolute())


def test_child_processes_in_another_folder_read_the_same_files(monkeypatch, tmp_path):
    Path("production.env").write_text("KEY_FILE=key\nCERTIFICATE=mine.pem\n")
    Path("key").write_text("s3cret")
    monkeypatch.setenv("ENV_FILE", "production.env")
    environment.read_file()
    environment.text("KEY", secret=True, about="")
    assert environment.place("CERTIFICATE", about="") == str(tmp_path / "mine.pem")
    paths = {name: os.environ[name] for name in ("ENV_FILE", "KEY_FILE", "CERTIFICATE")}
    assert all(Path(path).is_absolute() for path in paths.values()), paths
    monkeypatch.delenv("ENV_FILE")
    environment.read_file()
    assert os.environ["ENV_FILE"] == ""  # there is none here, and so there is none for them


def test_a_variable_that_is_empty_has_its_default(monkeypatch):
    for name in ("SAFE", "NAMES", "WORD", "COUNT"):
        monkeypatch.setenv(name, "")
    assert environment.flag("SAFE", True, about="")
    assert environment.items("NAMES", "a,b", about="") == ["a", "b"]
    assert environment.text("WORD", "x", about="") == "x"
    assert environment.number("COUNT", 3, about="") == 3


@pytest.mark.parametrize("kind", ["folder", "pipe", "endless", "large", "bytes"])
def test_a_file_of_a_secret_that_is_none_is_refused_at_once(monkeypatch, tmp_path, kind):
    path = tmp_path / kind
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
        case "large":
            path.write_text("x" * (environment.LARGEST + 1))
        case "bytes":
            path.write_bytes(b"\xff")
    monkeypatch.setenv("KEY_FILE", str(path))
    with pytest.raises(ImproperlyConfigured, match=r"KEY_FILE: .* cannot be read: "):
        environment.text("KEY", secret=True, about="")


def test_a_secret_may_lie_in_a_file_of_its_own(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("  s3cret\n")
    monkeypatch.setenv("KEY_FILE", str(tmp_path / "key"))
    assert environment.text("KEY", secret=True, about="") == "s3cret"
    assert environment.text("KEY", about="") == ""  # what is no secret does not
    monkeypatch.setenv("KEY", "another")
    with pytest.raises(ImproperlyConfigured, match="Set KEY or KEY_FILE, not both"):
        environment.text("KEY", secret=True, about="")


def test_a_file_of_a_secret_that_is_empty_or_gone_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ImproperlyConfigured, match=r"KEY_FILE: .* cannot be read: No such file"):
        environment.text("KEY", secret=True, about="")
    (tmp_path / "key").write_text("\n")
    with pytest.raises(ImproperlyConfigured, match=r"KEY_FILE: .* is empty"):
        environment.text("KEY", secret=True, about="")


def list_settings(tmp_path: Path, *words: str, **variables: str) -> str:
    result = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "list_settings", *words],
        cwd=tmp_path,
        env={**os.environ, "DATA_DIR": str(tmp_path / "data"), **variables},
        capture_output=True,
        text=True,
    )
    assert not result.returncode, result.stderr
    return result.stdout


def test_what_is_set_is_listed_without_secrets(tmp_path):
    Path(".env").write_text("CHALLENGE_SECONDS=77\n")
    collector = "https://me:very-secret@collector.example/v1"
    output = list_settings(
        tmp_path,
        SECRET_KEY="very secret",
        EMAIL_HOST="mail.example",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector,
    )
    assert {"CHALLENGE_SECONDS=77", "EMAIL_HOST=mail.example", "SECRET_KEY=(secret)"} <= set(
        output.splitlines()
    )
    assert "very" not in output


def test_the_file_that_is_printed_to_be_filled_in_can_be_read(tmp_path):
    Path("printed").write_text(list_settings(tmp_path, "--format", "env").replace("\n#", "\n"))
    lines = [line for line in Path("printed").read_text().splitlines() if "=" in line]
    names = {line.partition("=")[0] for line in lines}
    assert {"DATABASE_URL", "ALLOWED_HOSTS", "EMAIL_HOST_PASSWORD"} <= names

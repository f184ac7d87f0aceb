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


@pytest.mark.parametrize("wrong", ["", "-1", "1.5", "²", "many", "0", "11", "1_0"])
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
    output = list_settings(tmp_path, SECRET_KEY="very secret", EMAIL_HOST="mail.example")
    assert {"CHALLENGE_SECONDS=77", "EMAIL_HOST=mail.example", "SECRET_KEY=(secret)"} <= set(
        output.splitlines()
    )
    assert "very" not in output


def test_the_file_that_is_printed_to_be_filled_in_can_be_read(tmp_path):
    Path("printed").write_text(list_settings(tmp_path, "--format", "env").replace("\n#", "\n"))
    lines = [line for line in Path("printed").read_text().splitlines() if "=" in line]
    names = {line.partition("=")[0] for line in lines}
    assert {"DATABASE_URL", "ALLOWED_HOSTS", "EMAIL_HOST_PASSWORD"} <= names

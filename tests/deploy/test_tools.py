"""The files of deploy/ before the tools that read them, and their schemas: `make deployment`."""

import importlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import certificates
from tests.deploy import files
from tests.deploy.files import BASE, DEPLOY, ROOT, SERVERS

SCHEMA = (
    ROOT / ".venv" / "deployment" / "node_modules" / "dclint" / "schemas" / "compose.schema.json"
)
OLDEST, NEWEST = "1.32", "1.36"  # of Kubernetes


def tool(name: str) -> str:
    """Return a program, or skip the test without it."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        pytest.skip(f"{name} is not installed.")
    return path


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_knows_every_line(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    for path in (DEPLOY / "systemd").glob("tessera*"):
        text = path.read_text()
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
        text = text.replace("file:///opt/tessera/docs/deployment.md", "https://example.org")
        (tmp_path / path.name).write_text(text)
    units = sorted(map(str, tmp_path.iterdir()))
    said = run(analyze, "verify", "--man=no", *units)
    assert not [line for line in said.splitlines() if "tessera" in line], said


def test_systemd_finds_units_hard_to_leave() -> None:
    analyze = tool("systemd-analyze")
    for path in sorted((DEPLOY / "systemd").glob("*.service")):
        said = run(analyze, "security", "--offline=true", "--threshold=30", str(path))
        assert "OK" in said, said


def test_caddy_reads_its_file() -> None:
    caddy = tool("caddy")
    run(
        caddy,
        "validate",
        "--adapter",
        "caddyfile",
        "--config",
        str(DEPLOY / "Caddyfile"),
        SITE="labels.example.org",
        WEB="10.0.0.1:8000 10.0.0.2:8000",
    )


def test_nginx_reads_its_file(tmp_path: Path) -> None:
    nginx = tool("nginx")
    certificate, key = certificates.write(tmp_path)
    text = (DEPLOY / "nginx.conf").read_text()
    text = re.sub(r"\S+/fullchain\.pem", str(certificate), text)
    text = re.sub(r"\S+/privkey\.pem", str(key), text)
    text = re.sub(r"listen (\[::\]:)?(\d+)", r"listen \g<1>1\2", text)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ access_log off; {text} }}"
    )
    run(nginx, "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"))


@pytest.mark.parametrize("folder", ["base", "servers", "gpu"])
def test_kustomize_puts_manifests_together(folder: str) -> None:
    kubectl = tool("kubectl")
    text = run(kubectl, "kustomize", str(DEPLOY / "kubernetes" / folder))
    assert "kind: Deployment" in text
    assert text.count("nvidia.com/gpu: 1") == (2 if folder == "gpu" else 0)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("folder", [BASE, SERVERS], ids=lambda path: path.name)
def test_manifests_fit_the_schema_of_kubernetes(folder: Path, version: str) -> None:
    pytest.importorskip("kubernetes_validate", reason="`make deployment` installs it.")
    kubernetes_validate = importlib.import_module("kubernetes_validate")
    for resource in files.manifests(folder):
        kubernetes_validate.validate(resource, version, strict=True)


def test_the_compose_file_fits_its_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    if not SCHEMA.exists():
        pytest.skip("`make deployment` fetches the schema.")
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).validate(files.compose())

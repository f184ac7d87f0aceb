"""The files of deploy/, parsed."""

import configparser
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "kubernetes" / "base"
SERVERS = DEPLOY / "kubernetes" / "servers"


class Process(NamedTuple):
    """A process of Tessera's that a file starts."""

    where: str  # compose, systemd or kubernetes
    name: str
    arguments: list[str]  # of the command `tessera`


def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return content


def own_services() -> dict[str, Any]:
    """Return the services of Compose that run Tessera's image."""
    services = compose()["services"]
    return {name: each for name, each in services.items() if each["image"] == "tessera"}


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(path.read_text())
    return parser


def own_units() -> dict[str, configparser.ConfigParser]:
    """Return the services of systemd that run the command `tessera`."""
    units = {path.stem: unit(path) for path in sorted((DEPLOY / "systemd").glob("*.service"))}
    return {
        name: each for name, each in units.items() if "/tessera " in each["Service"]["ExecStart"]
    }


def manifests(folder: Path) -> list[dict[str, Any]]:
    """Return the resources of a folder of Kubernetes'."""
    paths = sorted(path for path in folder.glob("*.yaml") if path.name != "kustomization.yaml")
    return [each for path in paths for each in yaml.safe_load_all(path.read_text())]


def pods(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the specification of the pods of each resource that has some."""
    return {each["metadata"]["name"]: pod for each in resources if (pod := _pod(each))}


def _pod(resource: dict[str, Any]) -> dict[str, Any]:
    spec = resource.get("spec", {})
    if resource["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    pod: dict[str, Any] = spec.get("template", {}).get("spec", {})
    return pod


def processes() -> Iterator[Process]:
    """Yield all processes of Tessera's that are started anywhere."""
    for name, service in own_services().items():
        arguments = [re.sub(r"\$\{\w+:-(\w*)\}", r"\1", word) for word in service["command"]]
        yield Process("compose", name, arguments)
    for name, each in own_units().items():
        yield Process("systemd", name, each["Service"]["ExecStart"].split()[1:])
    for name, pod in pods(manifests(BASE)).items():
        yield Process("kubernetes", name, pod["containers"][0]["args"])


def assigned(path: Path) -> dict[str, str]:
    """Return the variables of a file of them, also those that are commented out."""
    pairs = re.findall(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", path.read_text(), re.MULTILINE)
    return dict(pairs)

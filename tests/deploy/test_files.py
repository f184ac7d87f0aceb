"""What the files of deploy/ start exists, is given settings that exist, and may do little."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import load_command_class
from django.test import Client

from config import environment
from tests.deploy import files
from tests.deploy.files import BASE, DEPLOY, ROOT, SERVERS, Process

OF_OTHERS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PYTHONUNBUFFERED"}
OF_SERVERS = {"POSTGRES_PASSWORD", "VALKEY_PASSWORD"}  # in the secret that pods share
PROCESSES = list(files.processes())


def named(process: Process) -> str:
    return f"{process.where}-{process.name}"


def known() -> set[str]:
    return {variable.name for variable in environment.variables()} | OF_OTHERS


def test_every_variable_is_a_setting() -> None:
    given = {
        "compose": set().union(*(each["environment"] for each in files.own_services().values())),
        "systemd": set(files.assigned(DEPLOY / "systemd" / "environment.example")).union(
            *(
                re.findall(r"(\w+)=", each["Service"]["Environment"])
                for each in files.own_units().values()
            )
        ),
        "base": {*files.assigned(BASE / "settings.env"), *files.assigned(BASE / "secrets.env")},
        "servers": {*files.assigned(SERVERS / "secrets.env")} - OF_SERVERS,
        "image": set(re.findall(r"(\w+)=", _last_stage("ENV"))) - {"PATH"},
    }
    assert {where: names - known() for where, names in given.items() if names - known()} == {}


def test_what_compose_asks_for_is_in_the_example() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text))
    assert asked - {"PIP_EXTRA_INDEX_URL"} == files.assigned(DEPLOY / ".env.example").keys()


@pytest.mark.parametrize("process", PROCESSES, ids=named)
def test_every_command_and_its_options_exist(process: Process) -> None:
    name, *arguments = process.arguments
    app = "django.core" if name == "migrate" else "config"
    parser = load_command_class(app, name).create_parser("tessera", name)
    parser.parse_args(arguments)


@pytest.mark.parametrize("where", ["compose", "systemd", "kubernetes"])
def test_every_queue_has_a_worker(where: str) -> None:
    workers = [each.arguments for each in PROCESSES if each.where == where]
    queues = [words[words.index("--queues") + 1] for words in workers if "--queues" in words]
    assert sorted(",".join(queues).split(",")) == sorted(settings.CELERY_TASK_QUEUES)


@pytest.mark.parametrize("where", ["compose", "systemd", "kubernetes"])
def test_one_process_schedules(where: str) -> None:
    assert [each.name for each in PROCESSES if each.where == where and each.arguments[0] == "beat"]


@pytest.mark.parametrize("name", files.compose()["services"])
def test_no_container_has_a_right_that_it_does_not_need(name: str) -> None:
    service = files.compose()["services"][name]
    assert service["cap_drop"] == ["ALL"] and "privileged" not in service
    rights = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID"}
    assert set(service.get("cap_add", [])) <= rights
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_what_is_secret_goes_into_no_image() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {"**/.env", "**/secrets.env", "**/*.key", "**/*.pem", ".data*"} <= set(ignored)


@pytest.mark.parametrize("name", files.own_services())
def test_a_container_may_write_its_own_folders_alone(name: str) -> None:
    service = files.own_services()[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service["user"].startswith("0")
    assert service["restart"] in {"unless-stopped", "on-failure"}


def test_nobody_reaches_a_server_from_outside() -> None:
    services = files.compose()["services"]
    assert [name for name, each in services.items() if "ports" in each] == ["front"]
    inner = {"postgresql", "valkey", "objects", "bucket", "beat", "migrate"}
    assert {name for name, each in services.items() if each["networks"] == ["inner"]} == inner
    assert files.compose()["networks"]["inner"] == {"internal": True}


@pytest.mark.parametrize("name", files.own_units())
def test_a_unit_runs_as_nobody_else_and_comes_back(name: str) -> None:
    service = files.own_units()[name]["Service"]
    assert service["User"] == "tessera" and service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict" and service["CapabilityBoundingSet"] == ""
    if service.get("Type") != "oneshot":
        assert service["Restart"] == "always" and int(service["RestartSec"]) <= 5
        assert service["RestartPreventExitStatus"] == "78"
        assert files.own_units()[name]["Unit"]["PartOf"] == "tessera.target"


@pytest.mark.parametrize("folder", [BASE, SERVERS], ids=lambda path: path.name)
def test_a_pod_may_do_little(folder: Path) -> None:
    for name, pod in files.pods(files.manifests(folder)).items():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
        assert "memory" in container["resources"]["limits"], name


def test_pods_are_asked_at_addresses_that_are_served(db: None, client: Client) -> None:
    web = files.pods(files.manifests(BASE))["web"]["containers"][0]
    asked = {name: web[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness")}
    assert asked == {"liveness": "/healthz", "readiness": "/readyz"}
    for address in asked.values():  # whatever host they ask for
        assert client.get(address, headers={"host": "10.1.2.3:8000"}).status_code == 200


def test_templates_that_are_not_filled_in_let_nothing_begin(settings: Any) -> None:
    from config.checks.settings import check_settings

    settings.SECRET_KEY = files.assigned(BASE / "secrets.env")["SECRET_KEY"]
    settings.ALLOWED_HOSTS = [files.assigned(BASE / "settings.env")["ALLOWED_HOSTS"]]
    environment_has_it = pytest.MonkeyPatch()
    environment_has_it.setenv("SECRET_KEY", settings.SECRET_KEY)
    try:
        assert [each for each in check_settings() if each.id == "config.E002"]
    finally:
        environment_has_it.undo()


def test_fronts_let_the_largest_picture_through_and_count_one_proxy() -> None:
    least = settings.IMAGE_MAX_BYTES + settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    caddy, nginx = (DEPLOY / "Caddyfile").read_text(), (DEPLOY / "nginx.conf").read_text()
    for text, pattern in ((caddy, r"max_size (\d+)MiB"), (nginx, r"client_max_body_size (\d+)m")):
        size = re.search(pattern, text)
        assert size and int(size[1]) * 2**20 >= least
    assert "X-Forwarded-For $remote_addr" in nginx
    assert "X-Request-ID $request_id" in nginx and "header_up X-Request-ID" in caddy


def test_every_path_in_the_image_exists() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    locks = re.findall(r"[\w-]+\.lock", text)
    assert locks and not [name for name in locks if not (ROOT / name).exists()]
    assert "USER 10001" in text
    assert set(_extras(text)) <= _declared_extras()


def _last_stage(word: str) -> str:
    stage = (DEPLOY / "Dockerfile").read_text().rpartition("FROM ")[2]
    return " ".join(re.findall(rf"^{word} (.*)$", stage, re.MULTILINE))


def _extras(text: str) -> list[str]:
    found = re.search(r'ARG EXTRAS="(.*)"', text)
    return found[1].split(",") if found else []


def _declared_extras() -> set[str]:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return set(project["optional-dependencies"])

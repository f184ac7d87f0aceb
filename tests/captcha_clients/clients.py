"""The clients: where each comes from, how it is set up, and how its page is used."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from tests.captcha_clients.installing import Installed, Missing

SHOPS = Path(__file__).parent / "shops"
RECAPTCHA, HCAPTCHA = "g-recaptcha-response", "h-captcha-response"
OWN = "tessera-response"
INVISIBLE, ENTERPRISE = "/invisible/", "/enterprise/"
OURS, GOOGLES = "captcha.example", "www.google.com"
NET, WWW_NET = "recaptcha.net", "www.recaptcha.net"


@dataclass(frozen=True)
class Page:
    """A page of a client's shop."""

    path: str = "/"
    field: str = RECAPTCHA  # of the form, with the response
    invisible: bool = False  # the challenge opens when the form is sent
    action: str = ""  # as the page names it: version 3 alone
    api: str = ""  # what the page calls with JSON, instead of sending its form
    server: str = OURS  # as the page names it

    @property
    def address(self) -> str:
        return self.api or self.path

    def request(self, response: str) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers by which the page hands over a response."""
        if self.api:
            return json.dumps({self.field: response}).encode(), {"Content-Type": "application/json"}
        body = urlencode({"name": "Vera", "order": "Order", self.field: response})
        return body.encode(), {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Client:
    """A client as its registry has it."""

    package: str
    registry: str  # PyPI, npm or Debian; Tessera for its own element
    start: Callable[[Installed, Path], list[str]]  # given a folder to build in
    pages: tuple[Page, ...] = (Page(),)

    @property
    def mapped(self) -> bool:
        """Whether its server's name is a constant."""
        return self.pages[0].server != OURS

    def command(self, installed: Installed, build: Path) -> list[str]:
        """Return the command that runs its shop. Raises Missing."""
        installed.version(self.registry, self.package)
        return self.start(installed, build)


def _python(name: str) -> Callable[[Installed, Path], list[str]]:
    return lambda installed, build: [str(installed.python), str(SHOPS / name / "shop.py")]


def _bundled(name: str, dialect: str) -> Callable[[Installed, Path], list[str]]:
    def start(installed: Installed, build: Path) -> list[str]:
        script = build / f"{name}.js"
        (source,) = (SHOPS / name).glob("page.js*")
        command = [
            str(installed.modules / ".bin" / "esbuild"),
            str(source),
            "--bundle",
            "--jsx=automatic",
            '--define:process.env.NODE_ENV="production"',
            "--log-level=error",
            f"--outfile={script}",
        ]
        environment = {**os.environ, "NODE_PATH": str(installed.modules)}
        subprocess.run(command, env=environment, check=True)
        shop = SHOPS / "plain_shop.py"
        return [str(installed.python), str(shop), str(SHOPS / name), str(script), dialect]

    return start


def _own_element(installed: Installed, build: Path) -> list[str]:
    shop = SHOPS / "plain_shop.py"
    return [str(installed.python), str(shop), str(SHOPS / "own_element"), "", "tessera"]


def _express(installed: Installed, build: Path) -> list[str]:
    return ["node", str(SHOPS / "express_recaptcha" / "shop.js")]


def _php(installed: Installed, build: Path) -> list[str]:
    shop = SHOPS / "php_google_recaptcha" / "index.php"
    return [installed.php(), "-S", "127.0.0.1:{port}", str(shop)]


def environment(installed: Installed) -> Mapping[str, str]:
    """Return what the shops need of the environment, besides their keys."""
    found = {"PYTHONPATH": str(SHOPS), "NODE_PATH": str(installed.modules)}
    try:
        return {**found, "AUTOLOAD": str(installed.php_client())}
    except Missing:
        return found


CLIENTS = [
    Client(
        "django-recaptcha",
        "PyPI",
        _python("django_recaptcha"),
        pages=(
            Page(),
            Page(INVISIBLE, invisible=True),
            Page("/v3/", field="captcha", invisible=True, action="order"),
        ),
    ),
    Client(
        "drf-recaptcha",
        "PyPI",
        _python("drf_recaptcha"),
        pages=(
            Page(field="captcha", api="/api/orders/"),
            Page("/v3/", "captcha", invisible=True, action="order", api="/api/v3/orders/"),
        ),
    ),
    Client("Flask-WTF", "PyPI", _python("flask_wtf")),
    Client("django-hCaptcha", "PyPI", _python("django_hcaptcha"), pages=(Page(field=HCAPTCHA),)),
    Client(
        "django-hcaptcha-field",
        "PyPI",
        _python("django_hcaptcha_field"),
        pages=(Page(field=HCAPTCHA),),
    ),
    Client(
        "vue-recaptcha",
        "npm",
        _bundled("vue_recaptcha", "recaptcha"),
        pages=(Page(), Page(INVISIBLE, invisible=True)),
    ),
    Client("ng-recaptcha", "npm", _bundled("ng_recaptcha", "recaptcha")),
    Client(
        "recaptcha-v3",
        "npm",
        _bundled("recaptcha_v3", "recaptcha"),
        pages=(
            Page(invisible=True, action="order"),
            Page(ENTERPRISE, invisible=True, action="order"),
        ),
    ),
    Client(
        "@hcaptcha/react-hcaptcha",
        "npm",
        _bundled("react_hcaptcha", "hcaptcha"),
        pages=(Page(field=HCAPTCHA), Page(INVISIBLE, HCAPTCHA, invisible=True)),
    ),
    Client(
        "@hcaptcha/vanilla-hcaptcha",
        "npm",
        _bundled("vanilla_hcaptcha", "hcaptcha"),
        pages=(Page(field=HCAPTCHA), Page(INVISIBLE, HCAPTCHA, invisible=True)),
    ),
    Client(
        "@hcaptcha/vue3-hcaptcha",
        "npm",
        _bundled("vue3_hcaptcha", "hcaptcha"),
        pages=(Page(field=HCAPTCHA),),
    ),
    Client("php-google-recaptcha", "Debian", _php),
    Client(
        "react-google-recaptcha",
        "npm",
        _bundled("react_google_recaptcha", "recaptcha"),
        pages=(
            Page(server=GOOGLES),
            Page(INVISIBLE, invisible=True, server=GOOGLES),
            Page(ENTERPRISE, server=NET),
        ),
    ),
    Client(
        "react-google-recaptcha-v3",
        "npm",
        _bundled("react_google_recaptcha_v3", "recaptcha"),
        pages=(Page(invisible=True, action="order", server=WWW_NET),),
    ),
    Client("express-recaptcha", "npm", _express, pages=(Page(server=GOOGLES),)),
    Client("tessera-captcha", "Tessera", _own_element, pages=(Page(field=OWN),)),
]

"""What each client proves, by its page in a browser and by what its shop accepts."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from playwright.sync_api import Browser

from tests.captcha_clients import clients, visitor
from tests.captcha_clients.children import Failure, running
from tests.captcha_clients.clients import Client, Page
from tests.captcha_clients.front import Authority
from tests.captcha_clients.installing import Installed, Missing
from tests.captcha_clients.server import Captcha

PORT, PORT_OF_WRONG_SECRET = 8001, 8002
STEPS = "solved", "verified", "second time refused", "wrong secret refused"
HEADER = (
    "| client | version | from | its server's name is | pages | "
    + " | ".join(STEPS)
    + " |\n|---|---|---|---|---|"
    + "---|" * len(STEPS)
)


@dataclass
class Result:
    """What was proved of a client: how many of its pages did each step."""

    client: Client
    version: str = "none"
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STEPS, 0))
    missing: str = ""  # what could not be had, so that it was not run
    failure: str = ""

    @property
    def is_proved(self) -> bool:
        return all(count == len(self.client.pages) for count in self.done.values())

    def __str__(self) -> str:
        name = "mapped to ours" if self.client.mapped else "a setting"
        start = f"| {self.client.package} | {self.version} | {self.client.registry} | {name} |"
        steps = " | ".join(str(count or "–") for count in self.done.values())
        return f"{start} {len(self.client.pages)} | {steps} |"


@dataclass(frozen=True)
class Bench:
    """What the clients are tried with."""

    installed: Installed
    captcha: Captcha
    authority: Authority
    browser: Browser
    build: Path

    def prove(self, client: Client) -> Result:
        """Try a client on all its pages; return how far it came."""
        result = Result(client)
        try:
            result.version = self.installed.version(client.registry, client.package)
            command = client.command(self.installed, self.build)
            with (
                self._shop(command, self.captcha.wrong_secret, PORT_OF_WRONG_SECRET),
                self._shop(command, self.captcha.secret, PORT),
            ):
                for page in client.pages:
                    self._try(page, result)
        except Missing as error:
            result.missing = str(error)
        except Exception:
            result.failure = traceback.format_exc()
        return result

    def _try(self, page: Page, result: Result) -> None:
        response = visitor.order(self.browser, page)
        result.done["solved"] += 1
        result.done["verified"] += 1
        _expect(not _accepts(PORT, page, response), "It accepts a response for the second time.")
        result.done["second time refused"] += 1
        fresh = self.captcha.response(page.action)
        refused = not _accepts(PORT_OF_WRONG_SECRET, page, fresh)
        _expect(refused, "It accepts a response of another site.")
        _expect(_accepts(PORT, page, fresh), "It refuses a response that another site tried.")
        result.done["wrong secret refused"] += 1

    @contextmanager
    def _shop(self, command: list[str], secret: str, port: int) -> Iterator[None]:
        environment = {
            **os.environ,
            **clients.environment(self.installed),
            **self.authority.trust(),
            "PORT": str(port),
            "SECRET": secret,
            "SITE_KEY": self.captcha.key,
        }
        command = [part.replace("{port}", str(port)) for part in command]
        with running(command, environment=environment, port=port):
            yield


def _accepts(port: int, page: Page, response: str) -> bool:
    """Whether a shop takes an order with this response."""
    body, headers = page.request(response)
    request = Request(f"http://127.0.0.1:{port}{page.address}", body, headers)
    try:
        with urlopen(request) as answer:
            return b"Thank you" in answer.read()
    except HTTPError as error:
        if error.code >= 500:
            raise Failure(f"The shop fails: {error.read().decode(errors='replace')}") from error
        return False


def _expect(met: bool, failure: str) -> None:
    if not met:
        raise Failure(failure)

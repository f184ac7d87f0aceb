"""People who answer, each with a browser, and keep a book of what the server acknowledged.

    python -m tests.chaos.people FRONT NAME AUTHORITY PROJECT COUNT BOOK

They go on until they are told to stop (SIGTERM). As the page does, they send an answer again until
it is taken or refused; a line of the book, in JSON, is written once that is known.
"""

import json
import random
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import urllib3

TIMEOUT = urllib3.Timeout(connect=3, read=10)
PAUSE = 0.5  # seconds before a request is sent again
LOOKING = 1.0  # seconds at a challenge


@dataclass(frozen=True)
class Site:
    """Where the site is, and who vouches for it."""

    front: str  # an address
    name: str
    authority: Path


class Person(threading.Thread):
    """One visitor."""

    def __init__(self, site: Site, project: str, book: "Book", stop: threading.Event) -> None:
        super().__init__()
        self._pool = urllib3.HTTPSConnectionPool(
            site.front,
            443,
            timeout=TIMEOUT,
            retries=False,
            server_hostname=site.name,
            assert_hostname=site.name,
            ca_certs=str(site.authority),
        )
        self._headers = {
            "Host": site.name,
            "Referer": f"https://{site.name}/",
            "Content-Type": "application/json",
            "X-CSRFToken": "a" * 32,
        }
        self._cookies = {"csrftoken": "a" * 32}
        self._project, self._book, self._ended = project, book, stop
        self._random = random.Random(id(self))

    def run(self) -> None:
        """Ask and answer until it is time to stop."""
        while not self._ended.is_set():
            status, shown = self._send(
                "/api/v1/challenges/", {"project": self._project, "kind": "grid"}
            )
            if status != 201:
                self._book.write(event="not asked", status=status, body=shown)
                time.sleep(PAUSE)
                continue
            self._look(shown)
            time.sleep(LOOKING)
            self._answer(shown)

    def _look(self, shown: dict[str, Any]) -> None:
        """Fetch one of the pictures, as a browser fetches all."""
        tile = self._random.choice(shown["tiles"])
        status, _ = self._send(tile["url"])
        if status != 200:
            self._book.write(event="no picture", status=status, url=tile["url"])

    def _answer(self, shown: dict[str, Any]) -> None:
        count = len(shown["tiles"])
        selected = [n for n in range(1, count + 1) if self._random.random() < 0.4]
        body = {"selected": selected, "seconds": LOOKING}
        status, answer = self._send(f"/api/v1/challenges/{shown['token']}/answer/", body)
        arrived = status == 200 or (status == 409 and answer.get("code") == "answered")
        self._book.write(
            event="acknowledged" if arrived else "refused",
            challenge=shown["token"].partition(".")[0],
            selected=selected,
            tiles=count,
            status=status,
            body=None if arrived else answer,
        )

    def _send(self, path: str, body: object = None) -> tuple[int, Any]:
        """Send a request until the server answers it, whatever it answers."""
        began = time.time()
        while True:
            try:
                cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
                response = self._pool.request(
                    "POST" if body is not None else "GET",
                    path,
                    body=json.dumps(body) if body is not None else None,
                    headers={**self._headers, "Cookie": cookies},
                )
            except urllib3.exceptions.HTTPError as error:
                problem = type(error).__name__
            else:
                if response.status < 500 and response.status != 429:
                    self._keep_cookies(response)
                    waited = time.time() - began
                    if waited > 5:
                        self._book.write(event="waited", seconds=round(waited, 1), path=path[:40])
                    is_json = "json" in response.headers.get("Content-Type", "")
                    return response.status, response.json() if is_json else None
                problem = str(response.status)
            self._book.write(event="again", problem=problem, path=path[:40])
            time.sleep(PAUSE)

    def _keep_cookies(self, response: urllib3.BaseHTTPResponse) -> None:
        for header in response.headers.getlist("Set-Cookie"):
            name, _, value = header.partition(";")[0].partition("=")
            self._cookies[name] = value


class Book:
    """A file to which many write, a line at a time."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._lock = file, threading.Lock()

    def write(self, **entry: object) -> None:
        with self._lock:
            self._file.write(json.dumps({"at": time.time(), **entry}) + "\n")
            self._file.flush()


def main(front: str, name: str, authority: str, project: str, count: str, book: str) -> None:
    """Let so many people answer until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with Path(book).open("a") as file:
        site, shared = Site(front, name, Path(authority)), Book(file)
        people = [Person(site, project, shared, stop) for _ in range(int(count))]
        for person in people:
            person.start()
        for person in people:
            person.join()


if __name__ == "__main__":
    main(*sys.argv[1:])

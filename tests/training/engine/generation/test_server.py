"""Requests that come in line by line, for models that stay loaded."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from training.engine.generation import server
from training.engine.generation.sample import Sampler, SamplingRequest
from training.engine.sampling.progress import OnProgress


class Connection:
    """A server in a thread, and both ends of its pipes."""

    def __init__(self) -> None:
        inbox, lines = os.pipe()
        replies, outbox = os.pipe()
        self.lines = os.fdopen(lines, "w")
        self.replies = os.fdopen(replies)
        self.thread = threading.Thread(target=self.serve, args=(inbox, outbox))
        self.thread.start()

    def serve(self, inbox: int, outbox: int) -> None:
        with os.fdopen(inbox) as lines, os.fdopen(outbox, "w") as replies:
            server.serve(lines, replies, idle=60)

    def send(self, message: object) -> None:
        self.lines.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        self.lines.flush()

    def receive(self) -> dict[str, Any]:
        """The reply that ends a request."""
        while True:
            reply: dict[str, Any] = json.loads(self.replies.readline())
            if "progress" not in reply:
                return reply

    def ask(self, message: object) -> dict[str, Any]:
        self.send(message)
        return self.receive()


@pytest.fixture
def connection() -> Iterator[Connection]:
    connection = Connection()
    yield connection
    connection.lines.close()
    connection.thread.join(30)
    connection.replies.close()
    assert not connection.thread.is_alive()


Requests = Callable[..., dict[str, Any]]


@pytest.fixture
def request_for(drawn: Path, tmp_path: Path) -> Requests:
    def build(**changes: Any) -> dict[str, Any]:
        fields = {"id": "1", "model": str(drawn / "model"), "out": str(tmp_path / "out")}
        return {**fields, "prompts": ["a red square", ""], "seeds": [5, 6], **changes}

    return build


def test_pictures_are_drawn_and_named(
    connection: Connection, request_for: Requests, tmp_path: Path
) -> None:
    reply = connection.ask(request_for(guidance=1.5, options={"sampling_steps": 3}))
    assert reply["id"] == "1"
    assert [(p["prompt"], p["seed"]) for p in reply["pictures"]] == [("a red square", 5), ("", 6)]
    for picture in reply["pictures"]:
        assert picture["nearest"]
        with Image.open(tmp_path / "out" / picture["file"]) as image:
            assert image.size == (16, 16)


def test_a_strip_knows_the_prompts_of_its_ends_alone(
    connection: Connection, request_for: Requests
) -> None:
    pictures = connection.ask(request_for(frames=4, seeds=[5, 5]))["pictures"]
    assert [p["prompt"] for p in pictures] == ["a red square", None, None, ""]
    assert [p["seed"] for p in pictures] == [5, 5, 5, 5]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "/nowhere"}, "has gone"),
        ({"prompts": []}, "no request"),
        ({"seeds": ["x", "y"]}, "no request"),
        ({"seeds": [1]}, "no request"),
        ({"options": {"colour": 1}}, "no option 'colour'"),
        ({"image": "/nowhere.png"}, "completes no pictures"),
        ({"frames": 1}, "two ends"),
    ],
)
def test_a_wrong_request_is_answered_by_a_sentence_and_the_next_is_drawn(
    connection: Connection,
    request_for: Requests,
    changes: dict[str, Any],
    message: str,
) -> None:
    assert message in connection.ask(request_for(**changes))["error"]
    assert "pictures" in connection.ask(request_for())


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '{"id": 7}', "[" * 9999])
def test_noise_is_answered_too(connection: Connection, line: str) -> None:
    assert "no request" in connection.ask(line)["error"]


def test_a_drawing_stops_when_it_is_cancelled(
    connection: Connection,
    request_for: Requests,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def sample(
        self: Sampler, request: SamplingRequest, on_progress: OnProgress | None = None
    ) -> None:
        assert on_progress
        connection.send({"cancel": "1"})
        while True:
            on_progress(0.5)

    with monkeypatch.context() as patch:
        patch.setattr(Sampler, "sample", sample)
        assert connection.ask(request_for()) == {"id": "1", "cancelled": True}
    assert "pictures" in connection.ask(request_for(id="2"))


def test_models_stay_loaded_and_few_of_them(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_MODELS", 2)
    cache, places = server.ModelCache(), []
    for name in "abc":
        places.append(tmp_path / name)
        places[-1].symlink_to(drawn / "model")
    first, second = cache.get(places[0]), cache.get(places[1])
    assert cache.get(places[0]) is first
    cache.get(places[2])
    assert cache.get(places[0]) is first
    assert cache.get(places[1]) is not second

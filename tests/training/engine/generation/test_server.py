"""Wishes that come in line by line, for models that stay loaded."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from training.engine.generation import server
from training.engine.generation.sample import GenerationRequest, Sampler
from training.engine.recipes.base import OnProgress


class Talk:
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

    def say(self, message: object) -> None:
        self.lines.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
        self.lines.flush()

    def hear(self) -> dict[str, Any]:
        """The reply that ends a wish."""
        while True:
            reply: dict[str, Any] = json.loads(self.replies.readline())
            if "share" not in reply:
                return reply

    def ask(self, message: object) -> dict[str, Any]:
        self.say(message)
        return self.hear()


@pytest.fixture
def talk() -> Iterator[Talk]:
    talk = Talk()
    yield talk
    talk.lines.close()
    talk.thread.join(30)
    talk.replies.close()
    assert not talk.thread.is_alive()


@pytest.fixture
def wish(drawn: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def wish(**changes: Any) -> dict[str, Any]:
        fields = {"id": "1", "model": str(drawn / "model"), "out": str(tmp_path / "out")}
        return {**fields, "prompts": ["a red square", ""], "seeds": [5, 6], **changes}

    return wish


def test_pictures_are_drawn_and_named(
    talk: Talk, wish: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    reply = talk.ask(wish(guidance=1.5, options={"sampling_steps": 3}))
    assert reply["id"] == "1"
    assert [(p["prompt"], p["seed"]) for p in reply["pictures"]] == [("a red square", 5), ("", 6)]
    for picture in reply["pictures"]:
        assert picture["nearest"]
        with Image.open(tmp_path / "out" / picture["file"]) as image:
            assert image.size == (16, 16)


def test_a_strip_knows_the_prompts_of_its_ends_alone(
    talk: Talk, wish: Callable[..., dict[str, Any]]
) -> None:
    pictures = talk.ask(wish(strip=4, seeds=[5, 5]))["pictures"]
    assert [p["prompt"] for p in pictures] == ["a red square", None, None, ""]
    assert [p["seed"] for p in pictures] == [5, 5, 5, 5]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "/nowhere"}, "has gone"),
        ({"prompts": []}, "no wish"),
        ({"seeds": ["x", "y"]}, "no wish"),
        ({"seeds": [1]}, "no wish"),
        ({"options": {"colour": 1}}, "no option 'colour'"),
        ({"given": "/nowhere.png"}, "completes no pictures"),
        ({"strip": 1}, "two ends"),
    ],
)
def test_a_wrong_wish_is_answered_by_a_sentence_and_the_next_is_drawn(
    talk: Talk, wish: Callable[..., dict[str, Any]], changes: dict[str, Any], said: str
) -> None:
    assert said in talk.ask(wish(**changes))["error"]
    assert "pictures" in talk.ask(wish())


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '{"id": 7}', "[" * 9999])
def test_noise_is_answered_too(talk: Talk, line: str) -> None:
    assert "no wish" in talk.ask(line)["error"]


def test_a_drawing_stops_when_it_is_cancelled(
    talk: Talk, wish: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(self: Sampler, asked: GenerationRequest, tell: OnProgress | None = None) -> None:
        assert tell
        talk.say({"cancel": "1"})
        while True:
            tell(0.5)

    with monkeypatch.context() as patch:
        patch.setattr(Sampler, "draw", draw)
        assert talk.ask(wish()) == {"id": "1", "cancelled": True}
    assert "pictures" in talk.ask(wish(id="2"))


def test_models_stay_loaded_and_few_of_them(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEPT", 2)
    shelf, places = server.ModelCache(), []
    for name in "abc":
        places.append(tmp_path / name)
        places[-1].symlink_to(drawn / "model")
    first, second = shelf.take(places[0]), shelf.take(places[1])
    assert shelf.take(places[0]) is first
    shelf.take(places[2])
    assert shelf.take(places[0]) is first
    assert shelf.take(places[1]) is not second

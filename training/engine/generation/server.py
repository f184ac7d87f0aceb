"""Draws for another process: a wish a line comes in, a line for progress and for pictures goes out.

In:  ``{"id", "model", "out", "prompts", "seeds", …}`` (the fields of ``GenerationRequest``), or
     ``{"cancel": id}``, at any time.
Out: ``{"id", "share"}`` now and then; at the end ``{"id", "pictures": [{"file", …}]}``,
     ``{"id", "error": "a sentence"}`` or ``{"id", "cancelled": true}``.

The models asked for last stay loaded. It ends when its input does, or when nobody has asked for
anything in a while.
"""

import json
import os
import sys
import threading
import time
import traceback
from collections import OrderedDict
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

from training.engine.data.pictures import png
from training.engine.files import TrainingError, in_words, is_memory, write_bytes
from training.engine.generation.sample import GenerationRequest, Sampler

KEPT = 3  # models, loaded at once …
MEMORY = 3 * 2**30  # … unless this process has grown so large
IDLE = 900.0  # seconds without a wish, after which its memory is better used
EVERY = 0.1  # seconds between two lines of progress, at least


class CancelledError(Exception):
    """Nobody waits for the pictures any more."""


class Inbox:
    """What comes in, read by a thread: a cancel is heard while pictures are drawn."""

    def __init__(self, lines: IO[str]) -> None:
        self._wishes: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._cancelled: set[str] = set()
        self._closed = threading.Event()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next wish; None where none came in time, or none will."""
        try:
            return self._wishes.get(timeout=seconds)
        except Empty:
            return None

    def unwanted(self, name: str) -> bool:
        return name in self._cancelled or self._closed.is_set()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            try:
                message = dict(json.loads(line))
            except (ValueError, TypeError, RecursionError):
                message = {}
            if "cancel" in message:
                self._cancelled.add(str(message["cancel"]))
            else:
                self._wishes.put(message)
        self._closed.set()
        self._wishes.put(None)


class ModelCache:
    """The models that are loaded, the one used last at the end."""

    def __init__(self) -> None:
        self._artists: OrderedDict[tuple[str, int], Sampler] = OrderedDict()

    def take(self, folder: Path) -> Sampler:
        """The model of a folder, loaded anew where its file has changed."""
        key = (str(folder), _written(folder / "config.json"))
        if key not in self._artists:
            while len(self._artists) >= KEPT or (self._artists and _memory() > MEMORY):
                self._artists.popitem(last=False)
            self._artists[key] = Sampler.load(folder)
        self._artists.move_to_end(key)
        return self._artists[key]

    def clear(self) -> None:
        self._artists.clear()


class SamplerServer:
    """Carries out one wish after the other."""

    def __init__(self, inbox: Inbox, replies: IO[str]) -> None:
        self._inbox = inbox
        self._replies = replies
        self._shelf = ModelCache()

    def execute(self, message: dict[str, Any]) -> None:
        """Draw what is asked for; whatever goes wrong becomes a sentence."""
        name = str(message.get("id", ""))
        try:
            wish, folder, out = _wish(message)
            self._reply(name, share=0.0)
            self._reply(name, pictures=self._draw(name, wish, folder, out))
        except CancelledError:
            self._reply(name, cancelled=True)
        except BrokenPipeError:
            raise  # nobody listens
        except (TrainingError, OSError) as error:
            self._reply(name, error=in_words(error))
        except Exception as error:
            traceback.print_exc()
            self._reply(name, error=self._trouble(error))

    def _draw(
        self, name: str, wish: GenerationRequest, folder: Path, out: Path
    ) -> list[dict[str, Any]]:
        told = 0.0

        def tell(share: float) -> None:
            nonlocal told
            if self._inbox.unwanted(name):
                raise CancelledError
            if time.monotonic() - told >= EVERY:
                told = time.monotonic()
                self._reply(name, share=round(share, 3))

        artist = self._shelf.take(folder)
        tell(0.0)
        pictures = artist.draw(wish, tell)
        records = artist.records(wish, pictures)
        for number, (pixels, record) in enumerate(zip(pictures, records, strict=True)):
            record["file"] = f"{number:02}.png"
            write_bytes(out / record["file"], png(pixels))
        return records

    def _trouble(self, error: Exception) -> str:
        """What nobody foresaw; where memory ran out, the next wish finds more of it."""
        if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and is_memory(error)):
            self._shelf.clear()
            return "There is not enough memory for this: ask for fewer pictures."
        return f"Something went wrong while drawing ({type(error).__name__})."

    def _reply(self, name: str, **said: Any) -> None:
        self._replies.write(json.dumps({"id": name, **said}) + "\n")
        self._replies.flush()


def serve(lines: IO[str], replies: IO[str], *, idle: float = IDLE) -> None:
    """Carry out wishes until none come any more."""
    inbox = Inbox(lines)
    studio = SamplerServer(inbox, replies)
    while (message := inbox.next(idle)) is not None:
        studio.execute(message)


def main() -> None:
    """Serve on the standard streams; what anybody prints goes to standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        serve(sys.stdin, replies)
    except BrokenPipeError:
        return  # nobody listens any more


def _wish(message: dict[str, Any]) -> tuple[GenerationRequest, Path, Path]:
    """The wish, the model's folder, and where its pictures go."""
    try:
        guidance, steps, given = (message.get(name) for name in ("guidance", "steps", "given"))
        wish = GenerationRequest(
            prompts=tuple(map(str, message["prompts"])),
            seeds=tuple(map(int, message["seeds"])),
            guidance=None if guidance is None else float(guidance),
            steps=None if steps is None else int(steps),
            options=dict(message.get("options") or {}),
            strip=int(message.get("strip", 0)),
            given=Path(given) if given else None,
        )
        if not wish.prompts or len(wish.prompts) != len(wish.seeds):
            raise ValueError(len(wish.seeds))
        return wish, Path(message["model"]), Path(message["out"])
    except (KeyError, TypeError, ValueError):
        raise TrainingError("This line is no wish that can be carried out.") from None


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        raise TrainingError(f"The model's folder {path.parent} has gone.") from None


def _memory() -> int:
    """Bytes that this process holds; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")

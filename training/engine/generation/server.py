"""Generate images for another process: requests come in and replies go out as lines of JSON.

In:  ``{"id", "model", "out", "prompts", "seeds", …}`` (the fields of ``SamplingRequest``), or
     ``{"cancel": id}``, at any time.
Out: ``{"id", "progress"}`` now and then, from 0 to 1; at the end
     ``{"id", "pictures": [{"file", …}]}``, ``{"id", "cancelled": true}`` or
     ``{"id", "error": "a sentence", "full": whether the disk is}``.

The models used last stay loaded. The server ends with its input, or when no request has come for
``IDLE`` seconds.
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

from training.engine.files import (
    TrainingError,
    in_words,
    is_full_disk,
    is_memory,
    write_bytes,
)
from training.engine.generation.sample import Sampler, SamplingRequest
from training.engine.generation.translate import TranslatingSampler
from training.engine.recipes import RECIPES, recipe_of

MAX_MODELS = 3  # loaded at once …
MAX_MEMORY = 3 * 2**30  # … and fewer once this process holds so many bytes
IDLE = 900.0  # seconds without a request, after which its memory is better used
PROGRESS_INTERVAL = 0.1  # seconds between two lines of progress, at least


class CancelledError(Exception):
    """Nobody waits for the pictures any more."""


class Inbox:
    """Read messages in a thread, so that a cancellation arrives while a request is executed."""

    def __init__(self, lines: IO[str]) -> None:
        self._requests: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._cancelled: set[str] = set()
        self._closed = threading.Event()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def next(self, timeout: float) -> dict[str, Any] | None:
        """Return the next request; None after ``timeout`` seconds or at the end of the input."""
        try:
            return self._requests.get(timeout=timeout)
        except Empty:
            return None

    def is_cancelled(self, request_id: str) -> bool:
        """Return whether the request was cancelled or its client has gone."""
        return request_id in self._cancelled or self._closed.is_set()

    def _read(self, lines: IO[str]) -> None:
        for line in lines:
            try:
                message = dict(json.loads(line))
            except (ValueError, TypeError, RecursionError):
                message = {}
            if "cancel" in message:
                self._cancelled.add(str(message["cancel"]))
            else:
                self._requests.put(message)
        self._closed.set()
        self._requests.put(None)


class ModelCache:
    """Keep the models used last in memory, least recently used first."""

    def __init__(self) -> None:
        self._samplers: OrderedDict[tuple[str, int], Sampler | TranslatingSampler] = OrderedDict()

    def get(self, folder: Path) -> Sampler | TranslatingSampler:
        """Return a folder's model, loading it where it is new or its file has changed."""
        key = (str(folder), _modified(folder / "config.json"))
        if key not in self._samplers:
            while len(self._samplers) >= MAX_MODELS or (self._samplers and _memory() > MAX_MEMORY):
                self._samplers.popitem(last=False)
            self._samplers[key] = _load(folder)
        self._samplers.move_to_end(key)
        return self._samplers[key]

    def clear(self) -> None:
        self._samplers.clear()


class SamplerServer:
    """Execute one request after the other."""

    def __init__(self, inbox: Inbox, replies: IO[str]) -> None:
        self._inbox = inbox
        self._replies = replies
        self._models = ModelCache()

    def execute(self, message: dict[str, Any]) -> None:
        """Execute a request and reply; whatever goes wrong becomes a sentence."""
        request_id = str(message.get("id", ""))
        try:
            request, folder, out = _parse(message)
            self._reply(request_id, progress=0.0)
            self._reply(request_id, pictures=self._sample(request_id, request, folder, out))
        except CancelledError:
            self._reply(request_id, cancelled=True)
        except BrokenPipeError:
            raise  # nobody listens
        except (TrainingError, OSError) as error:
            self._reply(request_id, error=in_words(error), full=is_full_disk(error))
        except Exception as error:
            traceback.print_exc()
            self._reply(request_id, error=self._describe(error))

    def _sample(
        self, request_id: str, request: SamplingRequest, folder: Path, out: Path
    ) -> list[dict[str, Any]]:
        replied_at = 0.0

        def on_progress(share: float) -> None:
            nonlocal replied_at
            if self._inbox.is_cancelled(request_id):
                raise CancelledError
            if time.monotonic() - replied_at >= PROGRESS_INTERVAL:
                replied_at = time.monotonic()
                self._reply(request_id, progress=round(share, 3))

        sampler = self._models.get(folder)
        on_progress(0.0)
        pictures = sampler.sample(request, on_progress)
        records = sampler.records(request, pictures)
        for number, (pixels, record) in enumerate(zip(pictures, records, strict=True)):
            record["file"] = f"{number:02}.png"
            write_bytes(out / record["file"], sampler.encode(request, pixels, record["prompt"]))
        return records

    def _describe(self, error: Exception) -> str:
        """Describe an unforeseen error; free the models where memory ran out."""
        if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and is_memory(error)):
            self._models.clear()
            return "There is not enough memory for this: ask for fewer pictures."
        return f"Something went wrong while drawing ({type(error).__name__})."

    def _reply(self, request_id: str, **fields: Any) -> None:
        self._replies.write(json.dumps({"id": request_id, **fields}) + "\n")
        self._replies.flush()


def serve(lines: IO[str], replies: IO[str], *, idle: float = IDLE) -> None:
    """Execute requests until the input ends or none has come for ``idle`` seconds."""
    inbox = Inbox(lines)
    server = SamplerServer(inbox, replies)
    while (message := inbox.next(idle)) is not None:
        server.execute(message)


def main() -> None:
    """Serve on the standard streams; redirect whatever else is printed to standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        serve(sys.stdin, replies)
    except BrokenPipeError:
        return  # nobody listens any more


def _parse(message: dict[str, Any]) -> tuple[SamplingRequest, Path, Path]:
    """Return the request, its model's folder and the folder for its pictures."""
    try:
        guidance, steps, image = (message.get(name) for name in ("guidance", "steps", "image"))
        request = SamplingRequest(
            prompts=tuple(map(str, message["prompts"])),
            seeds=tuple(map(int, message["seeds"])),
            guidance=None if guidance is None else float(guidance),
            steps=None if steps is None else int(steps),
            options=dict(message.get("options") or {}),
            frames=int(message.get("frames", 0)),
            image=Path(image) if image else None,
        )
        if not request.prompts or len(request.prompts) != len(request.seeds):
            raise ValueError(len(request.seeds))
        return request, Path(message["model"]), Path(message["out"])
    except (KeyError, TypeError, ValueError):
        raise TrainingError("This line is no request for pictures.") from None


def _load(folder: Path) -> Sampler | TranslatingSampler:
    translates = RECIPES[recipe_of(folder)].translates
    return TranslatingSampler.load(folder) if translates else Sampler.load(folder)


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        raise TrainingError(f"The model's folder {path.parent} has gone.") from None


def _memory() -> int:
    """Return the bytes that this process holds; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")

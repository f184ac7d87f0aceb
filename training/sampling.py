"""Generate samples of a model in a child process of its own: `python -m training sample`."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from labeling import json_lines
from training import processes

TIME_LIMIT = 300.0  # seconds


@dataclass(frozen=True)
class GeneratedImage:
    """A PNG that a model generated, and the training images nearest to it, nearest first."""

    path: Path
    prompt: str
    seed: int | None  # None: between two seeds
    nearest: list[dict[str, Any]]  # {"file_name", "distance"}

    @classmethod
    def from_record(cls, folder: Path, record: Mapping[str, Any]) -> Self:
        """Read a line of `samples.jsonl`, or of the sampler's reply; the PNG is in `folder`."""
        return cls(
            path=folder / Path(record["file"]).name,
            prompt=record["prompt"] or "",
            seed=record["seed"],
            nearest=list(record.get("nearest") or []),
        )


def sample(
    *,
    folder: Path,
    prompts: Sequence[str],
    out: Path,
    log: Path,
    count: int = 1,
    seed: int = 0,
    guidance: float | None = None,
    options: Sequence[str] = (),
) -> list[GeneratedImage]:
    """Generate `count` images of each prompt in `out`, with the model in `folder`.

    `options` are further arguments of `python -m training sample`. Raises ChildError where the
    child process fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    prompts_file = log.with_name(f"prompts-{secrets.token_hex(4)}.txt")
    prompts_file.write_text("".join(f"{prompt}\n" for prompt in prompts), encoding="utf-8")
    arguments = ["sample", str(folder), "--prompts", str(prompts_file), "--out", str(out)]
    arguments += ["--count", str(count), "--seed", str(seed), *options]
    if guidance is not None:
        arguments += ["--guidance", str(guidance)]
    try:
        processes.call(arguments, log=log, time_limit=TIME_LIMIT)
    finally:
        prompts_file.unlink()
    records = json_lines.read(out / "samples.jsonl")
    return [GeneratedImage.from_record(out, record) for record in records]

"""A stand-in for `python -m training` that fails as real processes do: `BEHAVIOUR` says how."""

import json
import os
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

from PIL import Image


def main() -> int:
    command, folder = sys.argv[1], Path(sys.argv[2])
    if command == "sample":
        return sample(dict(pairwise(sys.argv)))
    before = list(folder.glob("started-*"))
    (folder / f"started-{len(before)}").touch()
    behaviour = os.environ["BEHAVIOUR"]
    print(f"I am to {behaviour}.", flush=True)
    match behaviour:
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "crash once" if not before:
            os.kill(os.getpid(), signal.SIGKILL)
        case "refuse":
            print("error: The snapshot holds no pictures: import some.", file=sys.stderr)
            return 1
        case "learn for ever":
            learn(folder)
        case "be stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            learn(folder)
        case "forget the model":
            return 0
    finish(folder)
    return 0


def sample(options: dict[str, str]) -> int:
    prompts = Path(options["--prompts"]).read_text().splitlines()
    out, lines = Path(options["--out"]), []
    if "explode" in prompts:
        print("error: That is too dangerous.", file=sys.stderr)
        return 1
    for number, prompt in enumerate(prompts):
        for extra in range(int(options["--count"])):
            name, seed = f"{number:04}-{extra:02}.png", int(options["--seed"]) + extra
            Image.new("RGB", (64, 64), (40 * extra % 255, seed % 255, 120)).save(out / name)
            line = {"file": name, "prompt": prompt, "seed": seed, "guidance": 2.0}
            line["nearest"] = [{"file_name": "seen.png", "distance": 0.5}]
            lines.append(json.dumps(line) + "\n")
    (out / "samples.jsonl").write_text("".join(lines))
    return 0


def learn(folder: Path) -> None:
    for step in range(1, 10_000):
        line = {"time": time.time(), "step": step, "steps": 10_000, "loss": 1 / step}
        line |= {"images_per_second": 8.0, "seconds_left": 9.0, "stage": "train"}
        with (folder / "progress.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        time.sleep(0.05)


def finish(folder: Path) -> None:
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    (folder / "metrics.json").write_text('{"r_precision@judge": 0.5, "chance": 0.1, "x": NaN}')


if __name__ == "__main__":
    sys.exit(main())

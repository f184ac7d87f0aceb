"""A stand-in for `python -m training` that fails as real processes do: `BEHAVIOUR` says how."""

import json
import os
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image


def main() -> int:
    command = sys.argv[1]
    if command == "serve":
        return serve()
    folder = Path(sys.argv[2])
    if command == "sample":
        return sample(dict(pairwise(sys.argv)))
    if command == "push":
        print("pushed", *sys.argv[2:])
        return 0
    if command == "compare":
        return compare(dict(pairwise(sys.argv)))
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


def compare(options: dict[str, str]) -> int:
    """Find the new model as `VERDICT` says; people, where they answered, judge by the mean."""
    verdict = os.environ.get("VERDICT", "better")
    if verdict == "explode":
        print("error: There is too little memory.", file=sys.stderr)
        return 1
    judge: dict[str, object] = {"name": "r_precision@judge", "new": 0.5, "current": 0.4}
    judge |= {"says": verdict, "difference": 0.1, "low": 0.02, "high": 0.2, "margin": 0.05}
    judges = [judge]
    answers = json.loads(Path(options["--answers"]).read_text())
    if min(map(len, answers.values())) >= 20:
        new, current = (sum(answers[name]) / len(answers[name]) for name in ("new", "current"))
        says = "worse" if new < current - 0.2 else "cannot tell"
        people: dict[str, object] = {"new": new, "current": current, "says": says}
        judges.append({"name": "people", **people})
    promoted = all(judge["says"] != "worse" for judge in judges)
    verdict_file = {"promoted": promoted, "why": f"It is {verdict}.", "judges": judges}
    Path(options["--out"]).write_text(json.dumps(verdict_file))
    return 0


def serve() -> int:
    """Generate at once, unless a prompt asks for something else to happen."""
    for line in sys.stdin:
        request = json.loads(line)
        if "cancel" in request:
            continue
        match request["prompts"][0]:
            case "explode":
                reply(request, error="That is too dangerous.")
                continue
            case "die":
                print("I cannot go on.", file=sys.stderr, flush=True)
                os._exit(1)
            case "slow":
                wait_for_cancel(request)
                continue
            case "deaf":
                time.sleep(60)
        reply(request, progress=0.5)
        reply(
            request,
            pictures=[
                generate(request, n) for n in range(request.get("frames") or len(request["seeds"]))
            ],
        )
    return 0


def wait_for_cancel(request: dict[str, Any]) -> None:
    reply(request, progress=0.25)
    assert json.loads(sys.stdin.readline()) == {"cancel": request["id"]}
    reply(request, cancelled=True)


def generate(request: dict[str, Any], number: int) -> dict[str, Any]:
    name, seed = f"{number:02}.png", request["seeds"][min(number, len(request["seeds"]) - 1)]
    picture = Image.new("RGB", (64, 64), (40 * number % 255, seed % 255, os.getpid() % 255))
    picture.save(Path(request["out"], name))
    nearest = [{"file_name": "seen.png", "distance": 0.5}]
    return {"file": name, "prompt": "", "seed": seed, "nearest": nearest}


def reply(request: dict[str, Any], **fields: object) -> None:
    print(json.dumps({"id": request["id"], **fields}), flush=True)


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

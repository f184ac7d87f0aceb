"""Train by several processes and by one: the same losses, at what cost, and what outlasts a kill.

    python -m tests.benchmarks.ranks [same] [speed] [nodes]

- same: every recipe's losses and weights by two processes beside those by one;
- speed: steps a second and what crosses the network by one process and by two, by torch's engines
  and by a mean of gradients made by hand;
- nodes: two torchruns on one machine stand for two machines; a process is killed, a run is resumed
  by one process, and by four, and a machine is lost.

All processes compute on one thread each: run it where nothing else runs, on two cores or more.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import dropwhile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch import distributed as dist

from tests.training.engine.runs import ROOT, write_pairs, write_run, write_snapshot
from tests.training.engine.stable import write_base
from training.engine import progress
from training.engine.data.pairs import of_pairs
from training.engine.data.snapshot import read_snapshot
from training.engine.loop import checkpoints, distributed
from training.engine.loop.loop import Loop
from training.engine.loop.parallel import Alone
from training.engine.ranks import rank, size
from training.engine.recipes import RECIPES, configure
from training.engine.recipes.base import Source

STEPS = 20  # of each comparison
SENT = Path("/sys/class/net/lo/statistics/tx_bytes")
SAME: dict[str, tuple[str, dict[str, Any]]] = {
    "autoregressive": ("autoregressive", {}),
    "autoregressive, fsdp": ("autoregressive", {"parallel": "fsdp"}),
    "clip": ("clip", {"text": "words"}),
    "diffusion": ("diffusion", {}),
    "diffusion, fsdp": ("diffusion", {"parallel": "fsdp"}),
    "diffusion by a transformer": ("diffusion", {"network": "dit", "patch": 4, "batch": 8}),
    "gan": ("gan", {}),
    "gan on pixels": ("gan", {"space": "pixels", "width": 32, "group": 8, "batch": 8}),
    "lora": ("lora", {"size": 32, "batch": 4, "samples": 1}),
    "pairs": ("pairs", {}),
    "pairs, fsdp": ("pairs", {"parallel": "fsdp"}),
}
LARGE = {"width": 512, "depth": 4, "batch": 192}  # the network of diffusion's preset cpu
RUN = {"steps": 400, "checkpoint_steps": 20, "grid_steps": 200, "batch": 32, "samples": 1}


class ByHand(Alone):
    """The mean of all gradients in one message, once a backward pass is through."""

    def clip(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        return super().clip(parameters)


def work(folder: Path, name: str, recipe: str, options: dict[str, Any], by_hand: bool) -> None:
    """Make some steps, as one process or one of several, and write what came of them."""
    torch.set_num_threads(1)
    distributed.join()
    snapshot = read_snapshot(folder / ("pairs" if recipe == "pairs" else "squares"))
    snapshot = of_pairs(snapshot) if recipe == "pairs" else snapshot
    own = {"base": str(folder / "base")} if recipe == "lora" else {}
    config = configure(recipe, "smoke", {"steps": 60, **own, **options})
    encoder = None if recipe in ("clip", "lora") else {"kind": "words"}
    with distributed.first():
        training = RECIPES[recipe].training(config, Source(snapshot, folder, 3, encoder))
    loop = Loop(training, config, seed=5)
    loop.share()
    loop.divide()
    if by_hand:
        loop.work = ByHand(training.phases)
    losses = [loop.advance() for _ in range(2)]
    sent, start = int(SENT.read_text()), time.monotonic()
    losses += [loop.advance() for _ in range(STEPS - 2)]
    seconds, sent = time.monotonic() - start, int(SENT.read_text()) - sent
    state = loop.state()
    if rank() == 0:
        network = {k: v for k, v in state.tensors.items() if k.startswith("network.")}
        save_file({k: v.contiguous() for k, v in network.items()}, folder / f"{name}.safetensors")
        measured = {"step": seconds / (STEPS - 2), "sent": sent / (STEPS - 2), "losses": losses}
        (folder / f"{name}.json").write_text(json.dumps({**measured, "size": size()}))
    distributed.leave_together()


def start(
    folder: Path, processes: int, recipe: str, options: dict[str, Any], by_hand: bool = False
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Run ``work`` by so many processes; return what it measured, and the weights."""
    own = ["-m", "tests.benchmarks.ranks", "--work", str(folder), "out", recipe]
    own += [json.dumps(options), str(int(by_hand))]
    many = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(many if processes > 1 else []), *own]
    subprocess.run(command, cwd=ROOT, env=environment(), check=True, stderr=subprocess.PIPE)
    return json.loads((folder / "out.json").read_text()), load_file(folder / "out.safetensors")


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}


def same(folder: Path) -> None:
    print(f"\n{STEPS} steps, two processes beside one: the largest difference of")
    print("| recipe | a loss | a weight, of the largest of its tensor |\n|---|---|---|")
    for name, (recipe, options) in SAME.items():
        one, weights = start(folder, 1, recipe, options)
        two, others = start(folder, 2, recipe, options)
        loss = max(abs(a - b) for a, b in zip(one["losses"], two["losses"], strict=True))
        print(f"| {name} | {loss:.1e} | {difference(weights, others):.1e} |", flush=True)


def difference(some: dict[str, Tensor], others: dict[str, Tensor]) -> float:
    """Return the largest difference of weights, as a share of the largest of the same tensor."""
    shares = [
        float((some[name] - others[name]).abs().max() / some[name].abs().max().clamp(min=1e-9))
        for name in some
        if some[name].is_floating_point()
    ]
    return max(shares)


def speed(folder: Path) -> None:
    cases: list[tuple[str, int, dict[str, Any], bool]] = [
        ("one process", 1, {}, False),
        ("two, mean by hand", 2, {}, True),
        ("two, ddp", 2, {}, False),
        ("two, fsdp", 2, {"parallel": "fsdp"}, False),
    ]
    print("\ndiffusion, 4 blocks of width 512, batches of 192 pictures, one thread a process")
    print("| work | ms a step | times one process | MB sent a step |\n|---|---|---|---|")
    alone = 0.0
    for name, processes, options, by_hand in cases:
        measured, _ = start(folder, processes, "diffusion", {**LARGE, **options}, by_hand)
        alone = alone or measured["step"]
        print(
            f"| {name} | {1e3 * measured['step']:.0f} | {alone / measured['step']:.2f} | "
            f"{measured['sent'] / 1e6:.1f} |",
            flush=True,
        )


def nodes(folder: Path) -> None:
    """Fit one run undisturbed, one with a killed process, and resume copies by other numbers."""
    whole = fit(new_run(folder, "whole"), port=29611)
    killed = new_run(folder, "killed")
    torchruns = start_nodes(killed, port=29612)
    wait_for(killed, step=100)
    (victim, *_) = children(torchruns[1].pid)
    os.kill(victim, signal.SIGKILL)
    ended(torchruns)
    found = load_file(killed / "model" / "model.safetensors")
    print(f"\nkilled on the second node, and resumed: weights differ by {difference(whole, found)}")
    stopped = new_run(folder, "stopped")
    torchruns = start_nodes(stopped, port=29613)
    wait_for(stopped, step=100)
    for torchrun in torchruns:
        torchrun.terminate()
    for torchrun in torchruns:
        torchrun.wait(120)
    print(f"stopped at step {checkpoints.paths(stopped)[-1].stem} of all processes")
    for processes in (1, 4):
        other = folder / f"by-{processes}"
        shutil.copytree(stopped, other)
        command = [sys.executable, "-m", "training", "fit", str(other)]
        own = ["--processes", str(processes)]
        subprocess.run([*command, *own], cwd=ROOT, env=environment(), check=True)
        found = load_file(other / "model" / "model.safetensors")
        print(f"resumed by {processes}: weights differ by {difference(whole, found):.1e}")

    lose_a_node(new_run(folder, "lost"))


def lose_a_node(run: Path) -> None:
    """Kill the second of two nodes for good, with all that runs there."""
    first, second = start_nodes(run, port=29614, nodes="1:2")
    wait_for(run, step=100)
    second.kill()
    killed = time.time()
    assert (first.wait(600), second.wait()) == (0, -signal.SIGKILL)
    later = (line for line in lines(run) if line["time"] > killed)
    begun = dropwhile(lambda line: line["stage"] != "prepare", later)
    again = next(line for line in begun if line["stage"] == "train")
    print(f"one of two nodes lost: the other went on after {again['time'] - killed:.0f} s")


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "progress.jsonl").read_text().splitlines()]


def new_run(folder: Path, name: str) -> Path:
    return write_run(folder / name, folder / "squares", folder / "cache", options=RUN)


def fit(run: Path, port: int) -> dict[str, Tensor]:
    ended(start_nodes(run, port))
    return load_file(run / "model" / "model.safetensors")


def start_nodes(run: Path, port: int, nodes: str = "2") -> list["subprocess.Popen[bytes]"]:
    """Start a torchrun for each of two nodes, which restart what was killed."""
    command = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={nodes}"]
    command += ["--nproc-per-node=1", "--rdzv-conf=last_call_timeout=5,keep_alive_interval=1"]
    command += ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--max-restarts=2"]
    command += ["--local-addr=127.0.0.1", "-m", "training", "fit", str(run)]
    log = (run.parent / f"{run.name}.log").open("wb")
    started = []
    for _ in range(2):  # the first one is where they meet
        started.append(
            subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=log, stderr=log)
        )
        time.sleep(3)
    return started


def ended(torchruns: Sequence["subprocess.Popen[bytes]"]) -> None:
    assert [torchrun.wait(600) for torchrun in torchruns] == [0, 0]


def wait_for(run: Path, *, step: int) -> None:
    while progress.latest(run).get("step", 0) < step:
        time.sleep(0.05)


def children(parent: int) -> list[int]:
    """Return the processes that another one has started."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(number) for number in listed.split()]


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--work"]:
        _, at, name, recipe, options, by_hand = arguments
        return work(Path(at), name, recipe, json.loads(options), by_hand == "1")
    parts = {"same": same, "speed": speed, "nodes": nodes}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_snapshot(folder / "squares")
        write_pairs(folder / "pairs")
        write_base(folder / "base")
        for part in arguments or parts:
            parts[part](folder)


if __name__ == "__main__":
    main(sys.argv[1:])

"""How fast a transformer samples with and without its KV cache.

    python tests/benchmarks/kv_cache.py [--threads 2]

Untrained networks of the presets' shapes: what they sample means nothing, how long it takes does.
Both ways sample the same tokens. Prints a Markdown table.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from training.engine.device import device
from training.engine.encoders.conditions import Condition
from training.engine.encoders.text import WIDTH
from training.engine.recipes import configure
from training.engine.recipes.autoregressive import (
    AutoregressiveConfig,
    build_network,
    token_noise,
)
from training.engine.sampling.next_token import sample_tokens

CASES: tuple[tuple[str, dict[str, str], int], ...] = (  # preset, options, pictures at a time
    ("cpu", {}, 1),
    ("cpu", {}, 4),
    ("cpu", {}, 64),
    ("cpu", {"tokens": "palette"}, 1),
)


def seconds(sample: Callable[[], Tensor]) -> tuple[float, Tensor]:
    start = time.perf_counter()
    tokens = sample().cpu()
    return time.perf_counter() - start, tokens


@torch.no_grad()
def measure(config: AutoregressiveConfig, batch: int) -> tuple[float, float, float]:
    """Return seconds with the cache and without, and the share of tokens that are the same."""
    torch.manual_seed(0)
    network = build_network(config, config.codes, WIDTH, 0).to(device()).eval()
    condition = Condition(
        torch.nn.functional.normalize(torch.randn(batch, WIDTH), dim=1).to(device()),
        torch.ones(batch, device=device()),
        torch.zeros(batch, 0, device=device()),
    )
    noise = torch.special.ndtr(token_noise(range(batch), config))

    def sample() -> Tensor:
        return sample_tokens(network, condition, noise, config)

    sample()
    with_cache, first = min((seconds(sample) for _ in range(3)), key=lambda timed: timed[0])
    network.new_cache = lambda batch: None  # type: ignore[method-assign, assignment, return-value]
    without, second = seconds(sample)
    return with_cache, without, float((first == second).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(parser.parse_args().threads)
    print("| preset | tokens | at a time | with cache, s | without, s | faster | same tokens |")
    print("|---|---|---|---|---|---|---|")
    for preset, options, batch in CASES:
        config = configure("autoregressive", preset, options)
        assert isinstance(config, AutoregressiveConfig)
        length = (config.size // config.grain) ** 2 * config.tokens_per_patch
        cached, plain, same = measure(config, batch)
        print(
            f"| {preset} | {length} {config.tokens} | {batch} | {cached:.2f} | {plain:.2f} "
            f"| {plain / cached:.1f} × | {same:.1%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

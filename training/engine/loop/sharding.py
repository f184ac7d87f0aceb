"""Networks of which each process holds a part of every tensor: torch's FSDP2."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from training.engine.device import device
from training.engine.loop.parallel import Alone


class Sharded(Alone):
    """Each process holds a part of every tensor (FSDP2), but for single numbers."""

    @contextmanager
    def unsent(self, phase: int) -> Iterator[None]:
        module = self.phases[phase].module
        assert isinstance(module, FSDPModule)
        module.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            module.set_requires_gradient_sync(True)

    def clip(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        gradients = [p.grad for p in parameters if p.grad is not None]
        parts = [gradient.to_local() for gradient in gradients if isinstance(gradient, DTensor)]
        numbers = [gradient for gradient in gradients if not isinstance(gradient, DTensor)]
        for number in numbers:
            dist.all_reduce(number)
            number /= dist.get_world_size()
        square = torch.zeros((), device=device())
        for part in parts:
            square += part.square().sum()
        dist.all_reduce(square)
        for number in numbers:
            square += number.square().sum()
        norm = square.sqrt()
        torch._foreach_mul_([*parts, *numbers], (1 / (norm + 1e-6)).clamp(max=1.0))
        return norm


def mesh() -> DeviceMesh:
    """Return all processes in a row."""
    return init_device_mesh(device().type, (dist.get_world_size(),))


def shard(network: nn.Module, over: DeviceMesh) -> None:
    """Leave a part of every tensor of a network in each process, layer by layer."""
    numbers = {p for p in network.parameters() if p.dim() == 0}  # fully_shard takes none
    for module in network.modules():
        if isinstance(module, nn.ModuleList):
            for layer in module:
                fully_shard(layer, mesh=over, ignored_params=numbers)
    fully_shard(network, mesh=over, ignored_params=numbers)


def part_of(whole: Tensor, like: Tensor) -> Tensor:
    """Return what this process holds of a tensor that all hold whole, divided as ``like`` is."""
    if not isinstance(like, DTensor):
        return whole
    at = like.device_mesh.get_local_rank()
    chunks = whole.to(device()).chunk(like.device_mesh.size())
    own = chunks[at].clone() if at < len(chunks) else whole.new_empty(like.to_local().shape)
    return DTensor.from_local(
        own.to(device()),
        like.device_mesh,
        like.placements,
        run_check=False,
        shape=like.shape,
        stride=like.stride(),
    )


def whole_of(tensor: Tensor) -> Tensor:
    """Return a tensor in whole; where it is divided, all processes have to ask for it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

"""Stable Diffusion 1 or 2 as diffusers loads it, with LoRA layers in its U-Net.

The optional extra diffusers takes seconds to import, so it is imported where it is needed.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.engine.data.caption_mixtures import Mixture
from training.engine.data.pictures import Pixels
from training.engine.device import device
from training.engine.encoders.libraries import open_clip
from training.engine.files import TrainingError, array_draft
from training.engine.networks.kohya import LAYERS, pairs

MISSING = "The recipe lora needs diffusers and peft: run `pip install 'tessera-labeling[lora]'`."
HUB_TIMEOUT = 10.0  # seconds that the hub has to answer at all
SAMPLERS = {"ddim": "DDIMScheduler", "dpm": "DPMSolverMultistepScheduler", "pndm": "PNDMScheduler"}
Half = NDArray[np.float16]


def diffusers() -> Any:
    """Import diffusers; raise ``TrainingError`` where the extra is not installed."""
    open_clip()  # mends torchvision, without which diffusers cannot be imported
    try:
        import diffusers as module
        import peft  # noqa: F401
    except ImportError:
        raise TrainingError(MISSING) from None
    module.utils.logging.set_verbosity_error()
    module.utils.logging.disable_progress_bar()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return module


@dataclass(frozen=True)
class Base:
    """The parts of a Stable Diffusion; ``network`` is its LoRA, the only part that trains."""

    name: str
    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    schedule: dict[str, Any]  # the noise schedule's config
    network: nn.ModuleDict

    @property
    def text_identity(self) -> str:
        return _identity(self.text_encoder)

    @property
    def channels(self) -> int:
        return int(self.vae.config.latent_channels)

    def latent_side(self, size: int) -> int:
        """Return the side of a latent of ``size`` pixels; raise ``TrainingError`` if it is odd."""
        shrinks: int = 2 ** (len(self.vae.config.block_out_channels) - 1)
        step = shrinks * 2 ** (len(self.unet.config.block_out_channels) - 1)
        if size % step:
            raise TrainingError(f"The option size must be a multiple of {step} here, not {size}.")
        return size // shrinks

    def scheduler(self, sampler: str) -> Any:
        """Return a new scheduler of ``SAMPLERS`` with the base's noise schedule."""
        return getattr(diffusers(), SAMPLERS[sampler]).from_config(self.schedule)


def load_base(name: str, rank: int, layers: str) -> Base:
    """Load a folder in diffusers' layout or a hub id, with new LoRA layers that change nothing.

    Raises ``TrainingError`` where it cannot be loaded, or is no Stable Diffusion 1 or 2.
    """
    module = diffusers()
    try:
        pipeline = _pipeline(module, name)
        parts = pipeline.unet, pipeline.vae, pipeline.text_encoder
        compatible = parts[0].config.in_channels == parts[1].config.latent_channels
        compatible = (
            compatible and parts[0].config.cross_attention_dim == parts[2].config.hidden_size
        )
    except Exception as error:
        raise TrainingError(_unreachable(name, error)) from None
    if not compatible:
        raise TrainingError(
            f"{name} is no Stable Diffusion of version 1 or 2 that draws from text."
        )
    for part in parts:
        part.eval().requires_grad_(False).to(device())
    network = adapted(pipeline.unet, rank, layers)
    schedule = dict(pipeline.scheduler.config)
    return Base(name, *parts, pipeline.tokenizer, schedule, network)


def _pipeline(module: Any, name: str) -> Any:
    """Load a folder, or a hub id: from the local cache where it is there."""
    load = partial(
        module.StableDiffusionPipeline.from_pretrained,
        name,
        safety_checker=None,
        requires_safety_checker=False,
        use_safetensors=True,
        dtype=torch.float32,
    )
    if not Path(name).is_dir():
        with suppress(OSError, ValueError):
            return load(local_files_only=True)
        from huggingface_hub import HfApi

        HfApi().model_info(name, timeout=HUB_TIMEOUT)
    return load()


def _unreachable(name: str, error: Exception) -> str:
    if Path(name).exists() or name.startswith((".", "/", "~")):
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"{name} holds no Stable Diffusion in the layout of diffusers: {reason}"
    return (
        f"The base model {name!r} is no folder here, and cannot be had from the hub: check its "
        "name and the network, or give a folder in the layout of diffusers as the option base."
    )


def adapted(unet: Any, rank: int, layers: str) -> nn.ModuleDict:
    """Add new LoRA layers to the U-Net and return them."""
    from peft import LoraConfig

    unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(LAYERS[layers])))
    return pairs(
        {
            path: (layer.lora_A["default"], layer.lora_B["default"])
            for path, layer in unet.named_modules()
            if hasattr(layer, "lora_A")
        }
    )


def _identity(module: Any) -> str:
    """Return a hash of a module's weights."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy())
    return digest.hexdigest()[:16]


# Texts and pictures as inputs of the U-Net, computed once


def batch_size() -> int:
    """Return how many texts or pictures to run at once; on a CPU one, for reproducibility."""
    return 4 if device().type == "cuda" else 1


@torch.no_grad()
def encode_texts(base: Base, texts: Sequence[str]) -> Tensor:
    """Return the text encoder's hidden states (n, L, W); texts are cut after L tokens."""
    length = base.tokenizer.model_max_length
    parts = []
    for start in range(0, len(texts), batch_size()):
        part = list(texts[start : start + batch_size()])
        tokens = base.tokenizer(
            part, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        )
        parts.append(base.text_encoder(tokens.input_ids.to(device()))[0])
    return torch.cat(parts)


def cached_hidden(base: Base, mixtures: Sequence[Mixture], cache: Path) -> Half:
    """Return hidden states (t, L, W) of the mixtures, computed once and memory-mapped."""
    content = hashlib.sha256(repr(mixtures).encode()).hexdigest()[:16]
    path = cache / f"hidden-{base.text_identity}-{content}.npy"
    shape = (
        len(mixtures),
        base.tokenizer.model_max_length,
        int(base.text_encoder.config.hidden_size),
    )

    def make(start: int, end: int) -> Tensor:
        rows = []
        for mixture in mixtures[start:end]:
            weights = torch.tensor([weight for _, weight in mixture], device=device())
            texts = encode_texts(base, [text for text, _ in mixture])
            rows.append((weights[:, None, None] * texts).sum(0))
        return torch.stack(rows)

    return _cached(path, shape, make)


def cached_latents(base: Base, pixels: Pixels, name: str, cache: Path) -> Half:
    """Return scaled latents (n, C, h, w) of pictures (n, s, s, 3), cached by ``name``."""
    size = pixels.shape[1]
    side = base.latent_side(size)
    path = cache / f"latents-{size}-{_identity(base.vae)}-{name}.npy"

    @torch.no_grad()
    def make(start: int, end: int) -> Tensor:
        images = torch.from_numpy(np.array(pixels[start:end])).permute(0, 3, 1, 2)
        mode = base.vae.encode(images.to(device()).float() / 127.5 - 1).latent_dist.mode()
        latents: Tensor = mode * base.vae.config.scaling_factor
        return latents

    return _cached(path, (len(pixels), base.channels, side, side), make)


def _cached(path: Path, shape: tuple[int, ...], make: Callable[[int, int], Tensor]) -> Half:
    """Return the file's array in half precision; fill a missing one by ``make(start, end)``."""
    if not path.exists():
        with array_draft(path, shape, np.float16) as array:
            for start in range(0, len(array), batch_size()):
                end = min(start + batch_size(), len(array))
                array[start:end] = make(start, end).cpu().numpy()
    values: Half = np.load(path, mmap_mode="r")
    if values.shape != shape or values.dtype != np.float16:
        raise TrainingError(f"{path} does not fit this run: delete it and start again.")
    return values

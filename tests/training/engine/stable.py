"""A tiny random Stable Diffusion in diffusers' layout, made on the spot."""

import json
from pathlib import Path
from typing import Any

import torch

from training.engine.networks.stable_diffusion import diffusers

WIDTH = 32  # of hidden states
STARTS, ENDS = "<|startoftext|>", "<|endoftext|>"
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "skip_prk_steps": True,
}


def write_base(folder: Path, seed: int = 0, **schedule: Any) -> Path:
    """Write a U-Net of two levels, a VAE that halves sides, a text tower that reads letters."""
    module = diffusers()
    torch.manual_seed(seed)
    pipeline = module.StableDiffusionPipeline(
        vae=_vae(module),
        text_encoder=_tower(),
        tokenizer=_tokenizer(folder),
        unet=_unet(module),
        scheduler=module.PNDMScheduler(**{**SCHEDULE, **schedule}),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _unet(module: Any) -> Any:
    return module.UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=4,
        cross_attention_dim=WIDTH,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )


def _vae(module: Any) -> Any:
    return module.AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=32,
    )


def _tower() -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(_vocabulary()),
            hidden_size=WIDTH,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )


def _tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    (folder / "letters").mkdir(parents=True)
    (folder / "letters" / "vocab.json").write_text(json.dumps(_vocabulary()))
    (folder / "letters" / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer.from_pretrained(folder / "letters", model_max_length=77)


def _vocabulary() -> dict[str, int]:
    """Every printable byte, within a word and at its end."""
    letters = [chr(code) for code in range(33, 324)]
    names = [STARTS, ENDS, *letters, *(f"{letter}</w>" for letter in letters)]
    return {name: number for number, name in enumerate(names)}

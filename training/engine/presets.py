"""The recipes, their presets and the names of their options, which requests choose from.

It imports no torch, so that the web process can read it. A preset overrides defaults of its
recipe's config, which stands beside the recipe's loss in ``training/engine/recipes/``.
"""

from dataclasses import dataclass, field
from typing import Any

SMOKE = "smoke"  # the preset of every recipe that only shows whether everything works
PREFERENCES = "preferences"  # the preset that goes on from a model, by what people preferred


@dataclass(frozen=True)
class Preset:
    """A named choice of options.

    ``minutes`` is about how long a run takes on the machine that ``about`` names, from and to:
    what is said before this installation has runs of its own (docs/training.md). ``gpu``: whether
    it is meant for a machine with one.
    """

    about: str
    options: dict[str, Any] = field(default_factory=dict)
    minutes: tuple[float, float] = (1, 60)
    gpu: bool = False


RECIPES = {
    "clip": "scores which text fits which picture",
    "diffusion": "generates pictures from text",
    "gan": "generates pictures in one step, interpolates smoothly, and scores any picture",
    "autoregressive": "generates pictures patch by patch, and inpaints given ones",
    "lora": "teaches Stable Diffusion what a few pictures show (needs the extra lora)",
    "pairs": "draws the other half of a picture, from pairs that belong together",
}

LOOP_OPTIONS = (  # of every recipe
    "steps batch learning_rate warmup weight_decay beta1 prompts samples judge_steps "
    "checkpoint_steps grid_steps precision compile parallel"
)
OWN_OPTIONS = {
    "clip": "size tower text tune zoom shift light",
    "diffusion": "network space size components autoencoder_steps patch width depth expansion "
    "dropout cond_drop_prob flip_prob hue_prob move_prob jitter time_mean time_clamp "
    "guidance sampling_steps sampler one_call_steps",
    "gan": "space size components autoencoder_steps noise width depth expansion group penalty "
    "contrast cond_drop_prob flip_prob jitter guidance truncation",
    "autoregressive": "size tokens patch codes levels width depth heads dropout token_dropout "
    "cond_drop_prob flip_prob jitter guidance temperature top_k top_p",
    "lora": "base size rank layers cond_drop_prob keep_keywords keyword_dropout caption_variants "
    "min_snr_gamma guidance sampling_steps sampler",
    "pairs": "size components width depth expansion dropout noise warps flip_prob "
    "cond_drop_prob text_drop_prob jitter time_mean time_clamp guidance sampling_steps sampler",
}
OPTIONS = {
    recipe: frozenset(f"{LOOP_OPTIONS} {names}".split()) for recipe, names in OWN_OPTIONS.items()
}

PIXELS: dict[str, Any] = {  # diffusion by a transformer
    "network": "dit",
    "size": 64,
    "patch": 4,
    "depth": 12,
    "batch": 256,
    "learning_rate": 5e-4,
    "warmup": 1000,
    "jitter": 0.2,
    "time_mean": -0.8,
    "time_clamp": 0.05,
    "guidance": 1.5,
    "sampler": "heun",
    "checkpoint_steps": 2000,
    "grid_steps": 4000,
}

PRESETS: dict[str, dict[str, Preset]] = {
    "clip": {
        "smoke": Preset(
            "seconds, only to see that everything works",
            {"steps": 12, "batch": 16, "size": 32, "warmup": 2, "checkpoint_steps": 4},
            minutes=(0.5, 2),
        ),
        "cpu": Preset(
            "minutes, on two processor cores: a head on the frozen encoders",
            {"tower": "frozen", "steps": 300, "batch": 256, "learning_rate": 1e-3},
            minutes=(3, 10),
        ),
        "tune": Preset(
            "an hour or so, on a GPU: all of a pretrained open_clip model (CLIP_MODEL) learns",
            {"tune": "all", "steps": 3000, "batch": 256, "learning_rate": 1e-5, "warmup": 200},
            minutes=(40, 120),
            gpu=True,
        ),
    },
    "diffusion": {
        "smoke": Preset(
            "seconds, only to see that everything works",
            {
                "steps": 60,
                "batch": 32,
                "warmup": 10,
                "size": 16,
                "components": 32,
                "width": 64,
                "depth": 2,
                "sampling_steps": 8,
                "samples": 2,
                "judge_steps": 0,
                "checkpoint_steps": 10,
                "grid_steps": 30,
            },
            minutes=(0.5, 2),
        ),
        "cpu": Preset(
            "minutes, on two processor cores; the first run takes longest",
            {
                "space": "autoencoder",
                "width": 512,
                "steps": 2700,
                "learning_rate": 1.2e-3,
                "hue_prob": 0.35,
                "move_prob": 0.15,
                "one_call_steps": 600,
            },
            minutes=(6, 15),
        ),
        PREFERENCES: Preset(
            "minutes: goes on from the current model, towards what people preferred of drawings",
            {"steps": 400, "learning_rate": 3e-4, "warmup": 50},
            minutes=(1, 5),
        ),
        "gpu-s": Preset(
            "ten minutes, on a GPU: 32 pixels",
            {**PIXELS, "steps": 14_000, "size": 32, "patch": 2, "width": 384},
            minutes=(8, 20),
            gpu=True,
        ),
        "gpu-m": Preset(
            "an hour, on a GPU: 64 pixels",
            {**PIXELS, "steps": 60_000, "width": 512},
            minutes=(45, 120),
            gpu=True,
        ),
        "gpu-l": Preset(
            "hours, on a GPU: 64 pixels, a larger network",
            {**PIXELS, "steps": 120_000, "width": 768, "learning_rate": 3e-4},
            minutes=(120, 360),
            gpu=True,
        ),
    },
    "gan": {
        "smoke": Preset(
            "seconds, only to see that everything works",
            {
                "steps": 60,
                "batch": 32,
                "warmup": 10,
                "size": 16,
                "components": 32,
                "noise": 8,
                "width": 64,
                "depth": 1,
                "samples": 2,
                "judge_steps": 0,
                "checkpoint_steps": 10,
                "grid_steps": 30,
            },
            minutes=(0.5, 2),
        ),
        "cpu": Preset("minutes, on two processor cores", {"steps": 3200}, minutes=(6, 20)),
        "gpu": Preset(
            "hours, on a GPU: 32 pixels",
            {
                "steps": 100_000,
                "batch": 256,
                "learning_rate": 2e-4,
                "warmup": 1000,
                "space": "pixels",
                "size": 32,
                "noise": 64,
                "width": 768,
                "depth": 2,
                "penalty": 0.05,
                "checkpoint_steps": 2000,
                "grid_steps": 5000,
            },
            minutes=(120, 480),
            gpu=True,
        ),
        "gpu-64": Preset(
            "many hours, on a GPU: 64 pixels",
            {
                "steps": 150_000,
                "batch": 256,
                "learning_rate": 2e-4,
                "warmup": 1000,
                "space": "pixels",
                "noise": 64,
                "width": 768,
                "depth": 2,
                "checkpoint_steps": 2000,
                "grid_steps": 5000,
            },
            minutes=(240, 900),
            gpu=True,
        ),
    },
    "autoregressive": {
        "smoke": Preset(
            "seconds, only to see that everything works",
            {
                "steps": 60,
                "batch": 32,
                "warmup": 10,
                "size": 16,
                "codes": 64,
                "width": 64,
                "depth": 2,
                "heads": 2,
                "samples": 2,
                "judge_steps": 0,
                "checkpoint_steps": 10,
                "grid_steps": 30,
            },
            minutes=(0.5, 2),
        ),
        "cpu": Preset("minutes, on two processor cores", {"steps": 2000}, minutes=(8, 20)),
        "gpu": Preset(
            "hours, on a GPU: 64 pixels",
            {
                "steps": 40_000,
                "batch": 256,
                "learning_rate": 6e-4,
                "warmup": 1000,
                "size": 64,
                "codes": 1024,
                "width": 512,
                "depth": 12,
                "heads": 8,
                "dropout": 0.1,
                "checkpoint_steps": 2000,
                "grid_steps": 4000,
            },
            minutes=(120, 480),
            gpu=True,
        ),
        "gpu-pixels": Preset(
            "hours, on a GPU: 32 pixels, one by one from a palette of 512 colours",
            {
                "steps": 40_000,
                "batch": 128,
                "learning_rate": 6e-4,
                "warmup": 1000,
                "tokens": "palette",
                "width": 512,
                "depth": 12,
                "heads": 8,
                "dropout": 0.1,
                "checkpoint_steps": 2000,
                "grid_steps": 4000,
            },
            minutes=(120, 480),
            gpu=True,
        ),
    },
    "lora": {
        "smoke": Preset(
            "minutes, only to see that everything works",
            {
                "steps": 12,
                "batch": 2,
                "warmup": 2,
                "size": 64,
                "rank": 4,
                "caption_variants": 4,
                "sampling_steps": 4,
                "samples": 1,
                "judge_steps": 0,
                "checkpoint_steps": 4,
                "grid_steps": 6,
            },
            minutes=(1, 10),
        ),
        "cpu": Preset(
            "hours, on processor cores: 256 pixels, for a handful of pictures",
            {
                "steps": 400,
                "batch": 1,
                "warmup": 20,
                "size": 256,
                "rank": 8,
                "layers": "attention",
                "sampling_steps": 12,
                "samples": 1,
                "judge_steps": 0,
                "checkpoint_steps": 20,
                "grid_steps": 0,
            },
            minutes=(60, 300),
        ),
        "gpu": Preset("minutes, on a GPU: 512 pixels", {"steps": 1500}, minutes=(5, 30), gpu=True),
    },
    "pairs": {
        "smoke": Preset(
            "seconds, only to see that everything works",
            {
                "steps": 60,
                "batch": 32,
                "warmup": 10,
                "size": 16,
                "components": 32,
                "width": 64,
                "depth": 2,
                "sampling_steps": 8,
                "samples": 2,
                "judge_steps": 0,
                "checkpoint_steps": 10,
                "grid_steps": 30,
            },
            minutes=(0.5, 2),
        ),
        "cpu": Preset(
            "minutes, on two processor cores",
            {
                "steps": 2000,
                "learning_rate": 1e-3,
                "warps": 4,
                "guidance": 2.0,
                "sampling_steps": 8,
                "samples": 3,
            },
            minutes=(3, 12),
        ),
        "gpu": Preset(
            "minutes, on a GPU: 64 pixels, a larger network",
            {
                "steps": 20_000,
                "batch": 1024,
                "learning_rate": 1e-3,
                "warmup": 500,
                "size": 64,
                "components": 512,
                "width": 1024,
                "depth": 6,
                "warps": 4,
                "guidance": 2.0,
                "samples": 3,
                "checkpoint_steps": 2000,
                "grid_steps": 4000,
            },
            minutes=(5, 30),
            gpu=True,
        ),
    },
}


def wants_gpu(recipe: str, preset: str) -> bool:
    """Return whether a run is meant for a machine with a GPU."""
    known = PRESETS.get(recipe, {}).get(preset)
    return known is not None and known.gpu


def goes_on(recipe: str, preset: str) -> bool:
    """Return whether a run goes on from a model instead of starting afresh."""
    return recipe == "diffusion" and preset == PREFERENCES

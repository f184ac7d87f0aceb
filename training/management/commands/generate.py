"""Generate samples: `generate MODEL PROMPT… --count N --seed S --guidance W --out DIR`."""

import shutil
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from training import generation_requests, generators, lookup, processes, run_requests, sampling
from training.generation_requests import GenerationError


class Command(BaseCommand):
    """Generate samples in a folder, without a worker."""

    help = "Draw pictures from prompts, or from none: the model's own guess."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("model", help="its number, its folder, or current")
        parser.add_argument("prompts", nargs="*", metavar="prompt")
        parser.add_argument("--project", help="whose current model, where there are several")
        parser.add_argument("--recipe", choices=generators.RECIPES, help="which current model")
        parser.add_argument("--count", type=int, default=4, help="of each prompt, or of a strip")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--guidance", type=float, help="default: the model's own")
        parser.add_argument(
            "--interpolate", action="store_true", help="a strip from the first prompt to the second"
        )
        parser.add_argument("--second-seed", type=int, help="a strip's last; default: the first")
        parser.add_argument(
            "--inpaint", type=Path, metavar="PICTURE", help="draw its lower half (autoregressive)"
        )
        parser.add_argument(
            "--option", action="append", default=[], help="name=value of the model's sampling"
        )
        parser.add_argument("--out", type=Path, required=True, help="an empty or new folder")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check everything first, then generate."""
        prompts = options["prompts"] or [""]
        out: Path = options["out"].absolute()
        try:
            _check(prompts, options)
            folder = lookup.find_generator_folder(
                options["model"], options["project"], options["recipe"]
            )
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise GenerationError(f"{out} is not empty: name a new folder.")
            count = _generate(folder, prompts, out, options)
        except (ValueError, OSError, processes.ChildError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{count} pictures in {out}")


def _check(prompts: list[str], options: dict[str, Any]) -> None:
    """Raise GenerationError before anything is loaded."""
    count, seed, last = (options[name] for name in ("count", "seed", "second_seed"))
    for prompt in prompts:
        generation_requests.check(
            prompt=prompt, count=count, seed=seed, guidance=options["guidance"]
        )
    if options["interpolate"]:
        if len(prompts) > 2:
            raise GenerationError("A strip goes from one prompt to another: name two.")
        seeds = (seed, seed if last is None else last)
        generation_requests.check_interpolation(
            prompts=(prompts[0], prompts[-1]), seeds=seeds, count=count
        )


def _generate(folder: Path, prompts: list[str], out: Path, options: dict[str, Any]) -> int:
    """Generate beside `out`, move it there once it is whole, and return the number of samples."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        images = sampling.sample(
            folder=folder,
            prompts=prompts,
            out=Path(name) / "out",
            log=Path(name) / "log.txt",
            count=options["count"],
            seed=options["seed"],
            guidance=options["guidance"],
            options=_sampling_options(options),
        )
        if out.exists():
            out.rmdir()
        shutil.move(Path(name) / "out", out)
    return len(images)


def _sampling_options(options: dict[str, Any]) -> list[str]:
    """Return the other options as `python -m training sample` reads them."""
    arguments = ["--interpolate"] if options["interpolate"] else []
    if options["second_seed"] is not None:
        arguments += ["--second-seed", str(options["second_seed"])]
    if options["inpaint"] is not None:
        arguments += ["--inpaint", str(options["inpaint"].absolute())]
    for line in options["option"]:
        run_requests.parse_option(line)
        arguments += ["--option", line]
    return arguments

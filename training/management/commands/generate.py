"""`generate MODEL PROMPT… --count N --seed S --guidance W --out DIR`"""

import shutil
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from training import children, drawing
from training.models import Model

NOT_PICTURES = "a model that draws no pictures; name one of the recipe diffusion"


class Command(BaseCommand):
    help = "Draw pictures from prompts, or from none: the model's own guess."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", help="its number, its folder, or current")
        parser.add_argument("prompts", nargs="*", metavar="prompt")
        parser.add_argument("--project", help="whose current model, where there are several")
        parser.add_argument("--count", type=int, default=4, help="of each prompt")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--guidance", type=float, default=2.0)
        parser.add_argument("--out", type=Path, required=True, help="an empty or new folder")

    def handle(self, *args: Any, **options: Any) -> None:
        prompts = options["prompts"] or [""]
        out: Path = options["out"].absolute()
        try:
            for prompt in prompts:
                drawing.check(
                    prompt=prompt,
                    count=options["count"],
                    seed=options["seed"],
                    guidance=options["guidance"],
                )
            folder = find_model(options["model"], options["project"])
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise drawing.DrawingError(f"{out} is not empty: name a new folder.")
            drawn = _draw(folder, prompts, out, options)
        except (ValueError, OSError, children.ChildError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{drawn} pictures in {out}")


def _draw(folder: str, prompts: list[str], out: Path, options: dict[str, Any]) -> int:
    """Draw beside `out` and move it there once it is whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        drawn = drawing.sample(
            folder=folder,
            prompts=prompts,
            out=Path(name) / "out",
            log=Path(name) / "log.txt",
            count=options["count"],
            seed=options["seed"],
            guidance=options["guidance"],
        )
        if out.exists():
            out.rmdir()
        shutil.move(Path(name) / "out", out)
    return len(drawn)


def find_model(name: str, project: str | None) -> str:
    """The folder of a model. Raises DrawingError with what to do."""
    path = Path(name)
    if (path / "config.json").is_file():
        return str(path.resolve())
    models = Model.objects.all()
    if name == "current":
        models = models.filter(recipe="diffusion", current=True)
        if project is not None:
            models = models.filter(project__slug=project)
        found = list(models[:2])
        if len(found) > 1:
            raise drawing.DrawingError("There are several projects: say whose with --project.")
        missing = "There is no model that draws yet: train one with the recipe diffusion."
    else:
        number = int(name) if name.isascii() and name.isdigit() and len(name) < 19 else 0
        found = list(models.filter(pk=number))
        missing = f"There is no model {name!r}, neither as a number nor as a folder."
    if not found:
        raise drawing.DrawingError(missing)
    if found[0].recipe != "diffusion":
        raise drawing.DrawingError(f"Model {found[0].pk} is {NOT_PICTURES}.")
    return found[0].folder

"""Train: `train SNAPSHOT --recipe R --preset P [--option name=value …] [--clip MODEL] [--wait]`."""

import time
from argparse import ArgumentParser
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from labeling import stored_folders
from training import (
    devices,
    lookup,
    processes,
    readiness,
    run_requests,
    run_summary,
    runner,
    runs,
    tasks,
    verdicts,
    zero_shot,
)
from training.engine import metric_names
from training.engine.presets import RECIPES
from training.models import Model, Run

POLL_INTERVAL = 1.0  # seconds between two looks at a run that a worker executes


class Command(BaseCommand):
    """Queue a run; with `--wait`, execute or follow it until it has ended."""

    help = "Train on a snapshot, in a worker, or here and now with --wait."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the command line."""
        parser.add_argument("snapshot", help="its number, its folder, or latest")
        parser.add_argument("--project", help="whose latest snapshot, where there are several")
        parser.add_argument("--recipe", required=True, help=" or ".join(RECIPES))
        parser.add_argument("--preset", default="cpu", help="default: %(default)s")
        parser.add_argument(
            "--option",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="in place of the preset's: steps=5000, or base=/models/sd15 for lora",
        )
        parser.add_argument(
            "--clip", help="the clip model that encodes its texts: its number, or current"
        )
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument(
            "--anyway", action="store_true", help="although there are no settled labels"
        )
        parser.add_argument(
            "--wait", action="store_true", help="show progress until the end; needs no worker"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Queue the run, and wait for its end if asked to."""
        start = run_requests.create if options["wait"] else tasks.start_run
        clip = options["clip"]
        try:
            snapshot = lookup.find_snapshot(options["snapshot"], options["project"])
            run = start(
                snapshot=snapshot,
                recipe=options["recipe"],
                preset=options["preset"],
                options=dict(map(run_requests.parse_option, options["option"])),
                clip=lookup.find_clip(clip, snapshot.project) if clip else None,
                seed=options["seed"],
                trigger=Run.Trigger.COMMAND,
                anyway=options["anyway"],
            )
        except readiness.NothingToLearnError as error:
            raise CommandError(f"{error} To train all the same, add --anyway.") from None
        except ValueError as error:
            raise CommandError(str(error)) from None
        if not options["wait"]:
            self.stdout.write(f"Run {run.pk} is queued: {run_summary.starts(run)}.")
            return
        try:
            self._wait(run)
        except runner.DatabaseLostError as error:
            raise CommandError(
                f"Run {run.pk} lost the database; a worker takes it up again. {error}"
            ) from error
        except KeyboardInterrupt:
            self._cancel(run)

    def _wait(self, run: Run) -> None:
        """Execute the run here, or follow it where a worker was quicker."""
        while (state := Run.objects.get(pk=run.pk).state) not in runs.ENDED:
            with devices.acquire() as device:
                leased = runs.acquire(run_id=run.pk) if device else None
                if leased:
                    model = runner.execute(leased, on_progress=self._show_progress)
                    if model:
                        self._follow_up(model)
                    continue
            if state == Run.State.RUNNING:
                self._show_progress(Run.objects.get(pk=run.pk))
            else:
                run.refresh_from_db()
                self._show(f"waiting: {run.delay_reason or 'this machine has another run'}")
            time.sleep(POLL_INTERVAL)
        run.refresh_from_db()
        if run.state != Run.State.SUCCEEDED:
            raise CommandError(f"Run {run.pk} {run.state}. {run.error}".strip())
        self.stdout.write(f"Run {run.pk} succeeded: {stored_folders.place(run.model.folder)}")
        for name, value in sorted(run.metrics.items()):
            beside = metric_names.is_beside(name, run.metrics) or name in metric_names.NOT_MERIT
            if isinstance(value, int | float) and not beside:
                shown = metric_names.figure(name, value)
                self.stdout.write(f"  {shown}  {metric_names.words(name)}")

    def _follow_up(self, model: Model) -> None:
        if model.recipe == "clip" and zero_shot.is_awaited(model.project):
            self._show("predicting by the frozen image encoder, which it is compared with")
            with suppress(processes.ChildError, OSError, ValueError):  # it says why on its page
                zero_shot.predict(model.project)
        self._show("comparing it with the current model")
        tasks.follow_up_now(model)
        model.refresh_from_db()
        standing = "It is the current model now" if model.current else "It stays a candidate"
        self.stdout.write(f"{standing}. {verdicts.sentence(model)}")
        for name, value in (model.feedback or {}).items():
            self.stdout.write(f"back to the loop: {value} {name}")

    def _cancel(self, run: Run) -> None:
        if Run.objects.get(pk=run.pk).state not in runs.ENDED:
            runs.cancel(run=run)
        raise CommandError(f"Run {run.pk} was cancelled; what it learnt is kept.")

    def _show_progress(self, run: Run) -> None:
        parts = [run.stage or "starting"]
        if run.steps:
            parts.append(f"step {run.step} of {run.steps}")
        if run.loss is not None:
            parts.append(f"loss {run.loss:.4f}")
        if run.images_per_second:
            parts.append(f"{run.images_per_second:.0f} images/s")
        if run.seconds_left is not None:
            parts.append(f"{run.seconds_left:.0f} s left")
        self._show(", ".join(parts))

    _shown = ""

    def _show(self, line: str) -> None:
        if line != self._shown:
            self._shown = line
            self.stdout.write(line)
            self.stdout.flush()

"""How long a run will take, and when it starts: by earlier runs here, else by a reference figure.

A run's time is what its steps take, and what preparing and measuring take. Of the last runs of the
same recipe and preset, the first is scaled by the number of steps and the second by the number of
pictures. Where there were none, the preset's own reference is given, which is rough.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from labeling.images import visible
from labeling.models import Project, Snapshot
from training import runs
from training.engine.presets import PRESETS, Preset
from training.models import Run

RUNS = 5  # earlier ones that count
SPREAD = 1.25  # between two runs alike: another program may be at work on the machine
LEAST = 10.0  # seconds
MINUTE, HOUR = 60.0, 3600.0
UNKNOWN = Preset("a preset that is no more")


@dataclass(frozen=True)
class Estimate:
    """Seconds that a run takes, from and to, and on how many earlier runs that rests."""

    low: float
    high: float
    runs: int = 0

    @property
    def middle(self) -> float:
        """Return the seconds that are as likely too many as too few."""
        return math.sqrt(self.low * self.high)

    @property
    def words(self) -> str:
        """Return it as people say it: "about 5 to 12 minutes"."""
        return f"about {in_words(self.low, self.high)}"

    @property
    def basis(self) -> str:
        """Return what it rests on."""
        if not self.runs:
            return "a reference figure: nothing like it has run here yet"
        return f"{self.runs} earlier {'run' if self.runs == 1 else 'runs'} of this preset here"

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(self.low + other.low, self.high + other.high, self.runs + other.runs)


def of_request(
    *,
    recipe: str,
    preset: str,
    project: Project,
    snapshot: Snapshot | None = None,
    options: dict[str, object] | None = None,
) -> Estimate:
    """Estimate a run that is not asked for yet."""
    run = Run(recipe=recipe, preset=preset, project=project, snapshot=snapshot)
    run.options = options or {}
    return of_run(run)


def of_run(run: Run) -> Estimate:
    """Estimate how long a run takes from its start to its end."""
    steps, pictures = _steps(run), _pictures(run)
    estimates = [
        seconds for earlier in _earlier(run) if (seconds := _scaled(earlier, steps, pictures))
    ]
    if not estimates:
        return _reference(run)
    return Estimate(min(estimates) / SPREAD, max(estimates) * SPREAD, len(estimates))


def ahead(run: Run) -> tuple[int, Estimate | None]:
    """Return how many runs end before a queued one starts, and in which time; None: at once.

    One run at a time: with more machines it is sooner.
    """
    running = list(Run.objects.filter(state=Run.State.RUNNING).select_related("snapshot"))
    queued = runs.queue().select_related("snapshot", "project")
    before = running + _before(run, queued)
    if not before:
        return 0, None
    total = Estimate(0.0, 0.0)
    for each in before:
        total += _until_free(each, run) if each.state == Run.State.RUNNING else of_run(each)
    return len(before), total


def remaining(run: Run) -> Estimate:
    """Estimate the seconds that a running run still takes, its evaluation included."""
    whole = of_run(run)
    passed = (timezone.now() - run.started_at).total_seconds() if run.started_at else 0.0
    if run.seconds_left is not None:
        return Estimate(run.seconds_left, run.seconds_left * SPREAD + MINUTE, whole.runs)
    return Estimate(max(LEAST, whole.low - passed), max(LEAST, whole.high - passed), whole.runs)


def _until_free(running: Run, run: Run) -> Estimate:
    """Estimate the seconds in which a running run ends, or yields to a person's."""
    left = remaining(running)
    schedule = Run.Trigger.SCHEDULE
    if running.trigger != schedule or run.trigger == schedule:
        return left
    soon = runs.YIELD_AFTER.total_seconds()
    return Estimate(min(left.low, soon), min(left.high, soon + MINUTE), left.runs)


def in_words(low: float, high: float) -> str:
    """Return a range of seconds in the unit that suits it, in sensible steps."""
    if high < 1.5 * MINUTE:
        unit, size = "seconds", 1.0
    elif high < 1.5 * HOUR:
        unit, size = "minutes", MINUTE
    else:
        unit, size = "hours", HOUR
    first, last = (_sensible(seconds / size) for seconds in (low, high))
    if first == last:
        return f"{last} {unit}" if last != "1" else f"1 {unit[:-1]}"
    return f"{first} to {last} {unit}"


def _sensible(value: float) -> str:
    """Return a number to one significant digit or, from 10 on, in fives."""
    if value >= 10:
        return f"{5 * round(value / 5)}"
    return f"{max(1, round(value))}"


def _before(run: Run, queued: Iterable[Run]) -> list[Run]:
    """Return the queued runs that start before this one, which may not be queued yet."""
    before: list[Run] = []
    for each in queued:
        scheduled = each.trigger == Run.Trigger.SCHEDULE
        if each.pk == run.pk or (run.pk is None and scheduled):
            break
        before.append(each)
    return before


def _earlier(run: Run) -> list[Run]:
    succeeded = Run.objects.filter(
        recipe=run.recipe,
        preset=run.preset,
        state=Run.State.SUCCEEDED,
        started_at__isnull=False,
        finished_at__isnull=False,
        attempts__lte=1,  # others may have waited in between
    )
    return list(succeeded.select_related("snapshot")[:RUNS])


def _scaled(earlier: Run, steps: int, pictures: int) -> float:
    """Return the seconds of an earlier run, for so many steps and pictures."""
    assert earlier.started_at and earlier.finished_at
    whole = (earlier.finished_at - earlier.started_at).total_seconds()
    stored = earlier.metrics.get("training_seconds")
    known = isinstance(stored, int | float) and 0 < stored <= whole
    learning = float(stored) if known else whole / 2
    of_steps = steps / earlier.steps if steps and earlier.steps else 1.0
    seen = _pictures(earlier)
    of_pictures = pictures / seen if pictures and seen else 1.0
    return max(LEAST, learning * of_steps + (whole - learning) * of_pictures)


def _steps(run: Run) -> int:
    preset = PRESETS.get(run.recipe, {}).get(run.preset)
    steps = run.options.get("steps") or (preset.options.get("steps") if preset else None)
    return steps if isinstance(steps, int) and not isinstance(steps, bool) and steps > 0 else 0


def _pictures(run: Run) -> int:
    if run.snapshot:
        return int(run.snapshot.counts.get("images", 0))
    return run.project.images.filter(visible(), generated=False).count()


def _reference(run: Run) -> Estimate:
    """Return the preset's reference, its steps scaled where other ones are asked for."""
    preset = PRESETS.get(run.recipe, {}).get(run.preset) or UNKNOWN
    usual = preset.options.get("steps")
    share = _steps(run) / usual if usual and _steps(run) else 1.0
    low, high = preset.minutes
    return Estimate(max(LEAST, low * MINUTE * share), max(LEAST, high * MINUTE * share))

"""What a number of tiles and answers needs: databases, machines, bytes, time, and cost a month.

    python -m tests.benchmarks.at_scale [--tiles 1e9] [--answers 1e10] [--months 24]

Arithmetic alone, from constants that other scripts here have measured (`Measured`, each with its
source), assumptions (`Assumed`) and prices (`PRICES`, each with its source or said to be assumed).
Each can be set: `--set db_ms=0.5 --set aws.vcpu_hour=0.03`. Tiles and answers come evenly over the
months, to so many `--projects` alike; a busy hour has `--peak` times the mean. Prints tables in
Markdown.
"""

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

MONTH = 30.44 * 24 * 3600  # seconds
HOURS = MONTH / 3600
TB = 1e12
MARKS = (1, 3, 6, 12, 24, 36)  # months of the table of growth


@dataclass(frozen=True)
class Measured:
    """What was measured on two cores; the script or the section of docs/benchmarks.md is named."""

    image_bytes: float = 941.0  # bytes_a_row.py: row and indexes
    tile_bytes: float = 123.0  # bytes_a_row.py
    question_bytes: float = 1_174.0  # bytes_a_row.py, after five updates and vacuum
    answer_bytes: float = 232.0  # bytes_a_row.py
    challenge_bytes: float = 814.0  # bytes_a_row.py, once its changes are forgotten
    parquet_answer_bytes: float = 31.5  # bytes_a_row.py
    parquet_challenge_bytes: float = 82.5  # bytes_a_row.py
    web_ms: float = 1.70  # an answer: answers_over_processes.py
    db_ms: float = 0.86  # likewise
    valkey_ms: float = 0.07  # likewise
    picture_web_ms: float = (82.2 - 15.6) / 9  # at its first showing: challenges_over_http.py
    import_ms: float = 0.79 + 7.21 + 0.04  # a photograph of a megapixel: import_speed.py
    recompute_us: float = 20.3  # an answer: online_cost.py, 203 s for ten millions
    recompute_bytes: float = 174.0  # an answer, at the peak: online_cost.py
    export_ms: float = 0.12  # a picture, to Parquet: export_speed.py
    snapshot_us: float = 1e6 / 1_168_417  # a pair of picture and concept: snapshot_speed.py


@dataclass(frozen=True)
class Assumed:
    """What depends on the project and its machines."""

    questions_a_tile: float = 2.0  # that are stored: those with a reason
    answers_a_challenge: float = 9.0
    concepts: float = 20.0  # of a project, for its snapshots
    picture_bytes: float = 60e3  # a stored picture with its variants
    shown_share: float = 0.3  # of shown pictures that the browser does not have yet
    thumbnail_bytes: float = 12e3  # as shown in a grid
    settled_after: float = 3.0  # months from an answer to its archive
    archived_share: float = 0.9  # of answers so old whose questions are settled by then
    busy: float = 0.5  # share of a core that is planned for
    web_cores: float = 16.0
    worker_cores: float = 16.0
    db_cores: float = 32.0
    db_bytes: float = 4e12  # that one PostgreSQL is let grow to: backup and restore within hours
    db_room: float = 1.4  # disk, of the rows: write-ahead log, versions, free room


@dataclass(frozen=True)
class Prices:
    """A month's list prices, without taxes, commitments or rebates, in one currency."""

    vcpu_hour: float  # with 4 GB of memory
    db_vcpu_hour: float  # with 8 GB of memory
    disk_gb: float
    object_gb: float
    put_1000: float
    get_1000: float
    egress_gb: float


# US East, dollars: m7g.large at 0.0816 an hour for two vCPUs (June 2026,
# factualminds.com/blog/amazon-ec2-on-demand-pricing-instance-families-2026); S3 at 0.023 a GB, .005
# and .0004 for 1,000 requests, 0.09 a GB out
# (devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples). Disks (gp3
# at 0.08) and the memory-optimised vCPU are assumptions.
# Google: SSD disks at 34 dollars for 200 GB (cloud.google.com/compute/disks-image-pricing); the
# others are assumptions.
# Own hardware, euros: object storage of Hetzner at 0.0067 a TB and hour
# (docs.hetzner.com/storage/object-storage/overview, December 2024); the others are assumptions: a
# rented server of 48 cores, 256 GB and 8 TB of NVMe for 300 a month, a terabyte out for 1.
PRICES = {
    "aws": Prices(0.0816 / 2, 0.0535, 0.08, 0.023, 0.005, 0.0004, 0.09),
    "google": Prices(0.0486, 0.0655, 0.17, 0.020, 0.005, 0.0004, 0.08),
    "own": Prices(300 / HOURS / 48, 300 / HOURS / 48, 0.0, 0.0067 * HOURS / 1000, 0.0, 0.0, 0.001),
}
ASSUMED_PRICES = {
    "aws": ("db_vcpu_hour", "disk_gb"),
    "google": ("vcpu_hour", "db_vcpu_hour", "object_gb", "put_1000", "get_1000", "egress_gb"),
    "own": ("vcpu_hour", "db_vcpu_hour", "disk_gb", "put_1000", "get_1000", "egress_gb"),
}


@dataclass(frozen=True)
class Plan:
    """So many tiles and answers, within so many months."""

    tiles: float
    answers: float
    months: float
    projects: float
    peak: float
    measured: Measured
    assumed: Assumed

    def rate(self) -> float:
        """Return the answers a second of a busy hour."""
        return self.answers / (self.months * MONTH) * self.peak

    def cores(self, milliseconds: float) -> float:
        """Return the cores that a busy hour needs for what takes so long an answer."""
        return self.rate() * milliseconds / 1000 / self.assumed.busy

    def answer_bytes(self) -> float:
        """Return what an answer takes, with its part of a challenge."""
        share = self.measured.challenge_bytes / self.assumed.answers_a_challenge
        return self.measured.answer_bytes + share

    def archived_bytes(self) -> float:
        """Return the same in Parquet."""
        share = self.measured.parquet_challenge_bytes / self.assumed.answers_a_challenge
        return self.measured.parquet_answer_bytes + share

    def archived(self, month: float) -> float:
        """Return how many answers an archive would hold by then."""
        old = max(0.0, min(month, self.months) - self.assumed.settled_after)
        return self.answers / self.months * old * self.assumed.archived_share

    def database(self, month: float, *, archive: bool) -> float:
        """Return the bytes of all databases by the end of a month: tiles come evenly, too."""
        part = min(1.0, month / self.months)
        measured = self.measured
        a_tile = measured.image_bytes + measured.tile_bytes
        a_tile += measured.question_bytes * self.assumed.questions_a_tile
        answers = self.answers * part - (self.archived(month) if archive else 0.0)
        return self.tiles * part * a_tile + answers * self.answer_bytes()

    def databases(self, size: float) -> int:
        """Return how many PostgreSQLs hold so much, and answer a busy hour; each has a standby."""
        by_size = size / self.assumed.db_bytes
        by_load = self.cores(self.measured.db_ms) / self.assumed.db_cores
        return max(1, math.ceil(by_size), math.ceil(by_load))

    def web(self) -> int:
        return max(2, math.ceil(self.cores(self.measured.web_ms) / self.assumed.web_cores))

    def worker_seconds(self) -> float:
        """Return a month's CPU seconds of workers: imports, and all recomputed once a day."""
        imports = self.tiles / self.months * self.measured.import_ms / 1000
        return imports + 30.44 * self.answers * self.measured.recompute_us / 1e6

    def workers(self) -> int:
        cores = self.worker_seconds() / MONTH / self.assumed.busy
        return max(2, math.ceil(cores / self.assumed.worker_cores))

    def objects(self, month: float, *, archive: bool) -> float:
        """Return the bytes of pictures and of the archive by then."""
        pictures = self.tiles * min(1.0, month / self.months) * self.assumed.picture_bytes
        return pictures + (self.archived(month) * self.archived_bytes() if archive else 0.0)

    def egress(self) -> float:
        """Return a month's bytes of pictures to those who answer."""
        shown = self.answers / self.months * self.assumed.shown_share
        return shown * self.assumed.thumbnail_bytes


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tiles", type=float, default=1e9)
    parser.add_argument("--answers", type=float, default=1e10)
    parser.add_argument("--months", type=float, default=24)
    parser.add_argument("--projects", type=float, default=1_000)
    parser.add_argument("--peak", type=float, default=4.0)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER")
    wanted = parser.parse_args(arguments)
    numbers = wanted.tiles, wanted.answers, wanted.months, wanted.projects, wanted.peak
    if not all(0 < number < math.inf for number in numbers):
        parser.error("Tiles, answers, months, projects and peak are numbers above 0.")
    measured, assumed, prices = Measured(), Assumed(), dict(PRICES)
    for each in wanted.set:
        name, _, number = each.partition("=")
        place, _, price = name.partition(".")
        try:
            value = float(number)
            if not (price or value > 0):
                raise ValueError("Nothing is divided by 0.")
            if price:
                prices[place] = replace(prices[place], **{price: value})
            elif name in {field.name for field in fields(Measured)}:
                measured = replace(measured, **{name: value})
            else:
                assumed = replace(assumed, **{name: value})
        except (ValueError, TypeError, KeyError):
            parser.error(f"{each}: that is no NAME=NUMBER of a constant in this script.")
    plan = Plan(
        wanted.tiles, wanted.answers, wanted.months, wanted.projects, wanted.peak, measured, assumed
    )
    print("\n".join([*summary(plan), "", *growth(plan), "", *costs(plan, prices)]))


def summary(plan: Plan) -> Iterator[str]:
    """Yield what the whole needs in its last month."""
    measured, end = plan.measured, plan.months
    without = plan.database(end, archive=False)
    with_archive = plan.database(end, archive=True)
    a_project = plan.answers / plan.projects
    yield "| what | without an archive | with it |\n|---|---:|---:|"
    yield f"| answers/s in a busy hour | {plan.rate():,.0f} | {plan.rate():,.0f} |"
    yield f"| PostgreSQL, TB | {without / TB:.1f} | {with_archive / TB:.1f} |"
    both = plan.databases(without), plan.databases(with_archive)
    cores = plan.assumed.db_cores
    yield f"| databases of {cores:.0f} cores, each with a standby | {both[0]} | {both[1]} |"
    yield f"| cores that PostgreSQL uses in a busy hour | {plan.cores(measured.db_ms):.0f} | same |"
    yield f"| web machines of {plan.assumed.web_cores:.0f} cores | {plan.web()} | same |"
    yield f"| cores of Valkey | {plan.cores(measured.valkey_ms):.2f} | same |"
    yield f"| worker machines of {plan.assumed.worker_cores:.0f} cores | {plan.workers()} | same |"
    objects = [plan.objects(end, archive=archive) / TB for archive in (False, True)]
    yield f"| object store, TB | {objects[0]:.1f} | {objects[1]:.2f} |"
    yield f"| pictures to browsers, TB a month | {plan.egress() / TB:.1f} | same |"
    busiest = plan.rate() * plan.assumed.shown_share * plan.assumed.thumbnail_bytes * 8 / 1e6
    yield f"| the same in a busy hour, Mbit/s | {busiest:,.0f} | same |"
    whole = plan.answers * measured.recompute_us / 1e6
    yield f"| all recomputed once, hours of one core | {whole / 3600:.0f} | same |"
    hours = a_project * measured.recompute_us / 3.6e9
    yield f"| a mean project recomputed, hours | {hours:.2f} | same |"
    memory = a_project * measured.recompute_bytes / 1e9
    yield f"| memory for that, GB | {memory:.1f} | same |"
    all_memory = plan.answers * measured.recompute_bytes / 1e9
    yield f"| … if all were one project, hours, GB | {whole / 3600:.0f}, {all_memory:,.0f} | same |"
    imports = plan.tiles * measured.import_ms / 3.6e6
    yield f"| all pictures imported, hours of one core | {imports:,.0f} | same |"
    exports = plan.tiles * measured.export_ms / 3.6e6
    yield f"| all exported as Parquet, hours of one core | {exports:.0f} | same |"
    pairs = plan.tiles * plan.assumed.concepts
    snapshots = pairs * measured.snapshot_us / 3.6e9
    yield f"| all frozen as snapshots, hours of one core | {snapshots:.1f} | same |"


def growth(plan: Plan) -> Iterator[str]:
    """Yield the sizes by month."""
    yield (
        "| month | answers | archived | PostgreSQL, TB: without | with "
        "| databases: without | with |"
    )
    yield "|---:|---:|---:|---:|---:|---:|---:|"
    for month in sorted({*(mark for mark in MARKS if mark < plan.months), plan.months}):
        without = plan.database(month, archive=False)
        with_archive = plan.database(month, archive=True)
        given = plan.answers * month / plan.months
        yield (
            f"| {month:.0f} | {given:.1e} | {plan.archived(month):.1e} | {without / TB:.2f} "
            f"| {with_archive / TB:.2f} | {plan.databases(without)} "
            f"| {plan.databases(with_archive)} |"
        )


def costs(plan: Plan, prices: dict[str, Prices]) -> Iterator[str]:
    """Yield the cost of the last month at each place."""
    names = "databases", "their disks", "web", "workers", "objects", "requests", "traffic"
    yield f"| a month at the end | {' | '.join(names)} | all |"
    yield "|---|" + "---:|" * (len(names) + 1)
    for place, price in prices.items():
        for archive in (False, True):
            parts = _parts(plan, price, archive=archive)
            title = f"{place}, {'with' if archive else 'without'} an archive"
            row = " | ".join(f"{part:,.0f}" for part in parts)
            yield f"| {title} | {row} | **{sum(parts):,.0f}** |"
    for place, names_of in ASSUMED_PRICES.items():
        yield f"\nAssumed of {place}: {', '.join(names_of)}."


def _parts(plan: Plan, price: Prices, *, archive: bool) -> list[float]:
    assumed = plan.assumed
    size = plan.database(plan.months, archive=archive)
    machines = 2 * plan.databases(size)  # each has a standby
    shown = plan.answers / plan.months * assumed.shown_share
    return [
        machines * assumed.db_cores * price.db_vcpu_hour * HOURS,
        2 * size * assumed.db_room / 1e9 * price.disk_gb,
        plan.web() * assumed.web_cores * price.vcpu_hour * HOURS,
        plan.workers() * assumed.worker_cores * price.vcpu_hour * HOURS,
        plan.objects(plan.months, archive=archive) / 1e9 * price.object_gb,
        plan.tiles / plan.months * 3 / 1000 * price.put_1000 + shown / 1000 * price.get_1000,
        plan.egress() / 1e9 * price.egress_gb,
    ]


if __name__ == "__main__":
    main(sys.argv[1:])

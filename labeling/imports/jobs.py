"""An import as a job: the same for a command, the API and the page.

`prepare` goes through the source and says which concepts it names; `execute` imports it with those
that were chosen. The caller holds the lease of the `Import` row and sets its state.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from labeling.imports import (
    candidates,
    embedded,
    importer,
    ledger,
    outcomes,
    pairs,
    plans,
    shares,
    source_index,
)
from labeling.imports.members import SourceError
from labeling.imports.options import DEFAULTS, NAME_LENGTH, Options
from labeling.imports.plans import source_name
from labeling.imports.report import Report, of_text
from labeling.imports.source import Members, distinct
from labeling.imports.source_index import SourceIndex
from labeling.models import Import
from labeling.numbers import count

State = Import.State
CONCEPTS_MAX = 1_000  # that an import makes
COLUMNS = 200  # of tables, that are kept to be chosen from
FORESEEN = 20  # reasons of refusals that are said before an import, and …
COMMANDS_PATIENCE = timedelta(minutes=1)  # after its lease, until a command counts as killed
TAKEN_FOR_STOPPED = "Nothing was heard of this command for a minute: its import counts as stopped."
FORESEEN_NAMES = 5  # … files or rows that are named for each


def prepare(record: Import, members: Members) -> SourceIndex:
    """Go through a source, and save what it holds and which concepts it names (`describe`).

    Raises `SourceError`, where it holds no pictures among others.
    """
    name = record.source or record.name or "The import"
    index = read(members, name=name, options=Options.of(record.options))
    describe(record, index)
    return index


def read(members: Members, *, name: str, options: Options = DEFAULTS) -> SourceIndex:
    """Go through a source of that name. Raises `SourceError`, where it holds no pictures too."""
    index = source_index.build(expanded(members, options), options)
    if not index.images:
        reasons = "; ".join(sorted({rejection.reason for rejection in index.rejections}))
        raise SourceError(f"{name} holds no pictures{f' ({reasons})' if reasons else ''}.")
    return index


def describe(record: Import, index: SourceIndex) -> None:
    """Save how many pictures and captions a source holds, and which concepts it names."""
    named = candidates.gather(index, record.project, source=source_name(record))
    record.pictures, record.captions = index.images, index.captions
    record.decisions = [decision.as_json() for decision in index.decisions]
    record.foreseen = _foreseen(index)
    record.columns = _columns(index)
    record.candidates = [candidate.as_json() for candidate in named.listed]
    record.candidates_count = named.total
    record.save(
        update_fields=[
            *("pictures", "captions", "decisions", "foreseen", "columns"),
            *("candidates", "candidates_count"),
        ]
    )


def _columns(index: SourceIndex) -> list[str]:
    """Return the columns that may be chosen by their names."""
    names = (name for name in index.columns if isinstance(name, str))
    return [name for name in names if 0 < len(name) <= NAME_LENGTH and name.isprintable()][:COLUMNS]


def _foreseen(index: SourceIndex) -> list[dict[str, Any]]:
    """Return what will be refused: each reason with its count and the first names; most first."""
    names: dict[str, list[str]] = defaultdict(list)
    for rejection in index.rejections:
        names[rejection.reason].append(rejection.path)
    for refusal in index.refusals:
        names[of_text(refusal.reason)].append(refusal.where)
    most = sorted(names.items(), key=lambda item: -len(item[1]))
    reasons = [
        {
            "reason": reason,
            "count": len(paths),
            "names": list(dict.fromkeys(paths))[:FORESEEN_NAMES],
        }
        for reason, paths in most[:FORESEEN]
    ]
    if rest := sum(len(paths) for _, paths in most[FORESEEN:]):
        reasons.append({"reason": "for other reasons", "count": rest, "names": []})
    return reasons


def execute(
    record: Import,
    members: Members,
    *,
    concepts: Sequence[str],
    renew: Callable[[int], None],
    phrases: Mapping[str, str] | None = None,
    index: SourceIndex | None = None,
) -> Report:
    """Import a source, by this process alone, with the concepts that were chosen.

    Save its counts and its report. concepts: their names; those that the project lacks are created,
    with the `phrases` by name. renew: called with the number of pictures that were looked at, about
    once a second; what it raises ends the import, which goes on when it is executed again. index:
    as `prepare` returned it, or the source is gone through once more. The caller has the pools
    filled afterwards (`labeling.tasks.fill_due_pools`). Raises `SourceError` and `PoolError`.
    """
    source = Source.of(record, members, index)
    plan = begin(source, concepts=concepts, phrases=phrases)
    shares.free(record)
    take_part(source, plan, renew=renew)
    renew(source.index.images)
    return finish(source, plan)


@dataclass(frozen=True)
class Source:
    """An import with the members of its source, and what is known of them."""

    record: Import
    members: Members
    index: SourceIndex

    @classmethod
    def of(cls, record: Import, members: Members, index: SourceIndex | None = None) -> "Source":
        """Return the source of an import; without an index, go through it. Raises `SourceError`."""
        options = Options.of(record.options)
        members = expanded(members, options)
        return cls(record, members, index or source_index.build(members, options))


def begin(
    source: Source, *, concepts: Sequence[str], phrases: Mapping[str, str] | None = None
) -> plans.Plan:
    """Make what an import needs before its first picture, and share its pictures out.

    concepts, phrases: as `execute` takes them. What is there already, of an attempt before, stays.
    Raises `SourceError`.
    """
    if len(concepts) > CONCEPTS_MAX:
        raise SourceError(
            f"{len(concepts):,} concepts were chosen; {CONCEPTS_MAX:,} are the limit: choose fewer."
        )
    record = source.record
    chosen = {name: (phrases or {}).get(name, "") for name in concepts}
    outcomes.start(record, count(record.pictures, "picture"))
    plan = plans.plan(record=record, index=source.index, chosen=chosen)
    shares.share_out(record, source.index.images)
    return plan


def take_part(source: Source, plan: plans.Plan, *, renew: Callable[[int], None]) -> bool:
    """Take in the shares of an import that are left, with others; return whether all are done."""
    return importer.run(
        record=source.record,
        members=source.members,
        index=source.index,
        plan=plan,
        renew=renew,
    )


def finish(source: Source, plan: plans.Plan) -> Report:
    """Save the counts and the report of an import whose shares are all done."""
    with Report.of_import() as report:
        importer.add_up(source.record, source.index, report)
        report.unnamed = plan.unnamed
        outcomes.finish(source.record, report, summary(report.counts()))
    return report


def fail_lost_commands(since: timedelta = COMMANDS_PATIENCE) -> int:
    """Fail the imports whose command was killed; return how many.

    since: for how long their leases have expired. Nobody takes over from a command: one that a busy
    machine or network only holds up goes on.
    """
    running = (State.FETCHING, State.READING, State.IMPORTING)
    lost = Import.objects.filter(state__in=running).exclude(source="").expired(since)
    return lost.revoke(
        state=State.FAILED,
        finished_at=Now(),
        error="Its command was stopped: run it again, or take the import back.",
    )


def expanded(members: Members, options: Options) -> Members:
    """Return the members with the pictures that lie in tables, and of pairs one for both halves."""
    if options.pairs:
        limit = settings.IMAGE_MAX_BYTES
        return pairs.joined(
            members,
            read_limit=limit,
            encoding=options.encoding,
            first_halves=options.first_halves,
        )
    return lambda: distinct(embedded.expand(members(), options))


def summary(counts: Mapping[str, Any]) -> str:
    """Return the counts of an import in words."""
    words = (
        f"{count(counts['taken'], 'new picture')}, {counts['known']:,} known already, "
        f"{count(counts['near_duplicates'], 'near-duplicate')}, {counts['refused']:,} refused"
    )
    texts = ledger.in_words(counts.get("texts", {}))
    retracted = ledger.retracted_in_words(counts.get("retracted", {}))
    return "; ".join(filter(None, (words, texts, retracted)))

"""An import as a job: the same for a command, the API and the page.

`prepare` goes through the source and says which concepts it names; `execute` imports it with those
that were chosen. The caller holds the lease of the `Import` row and sets its state.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from labeling import lease
from labeling.imports import (
    candidates,
    embedded,
    importer,
    ledger,
    outcomes,
    pairs,
    plans,
    source,
    source_index,
)
from labeling.imports.members import SourceError
from labeling.imports.options import DEFAULTS, NAME_LENGTH, Options
from labeling.imports.plans import source_name
from labeling.imports.report import Report, of_text
from labeling.imports.source import Members
from labeling.imports.source_index import SourceIndex
from labeling.models import Import
from labeling.numbers import count

State = Import.State
CONCEPTS_MAX = 1_000  # that an import makes
COLUMNS = 200  # of tables, that are kept to be chosen from
FORESEEN = 20  # reasons of refusals that are said before an import, and …
FORESEEN_NAMES = 5  # … files or rows that are named for each
RENEW_EVERY = 1.0  # seconds between two calls of `renew`, at least


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
    """Import a source with the concepts that were chosen; save its counts and its report.

    concepts: their names; those that the project lacks are created, with the `phrases` by name.
    renew: called with the number of pictures that were looked at, about once a second; what it
    raises ends the import, which goes on when it is executed again. index: as `prepare` returned
    it, or the source is gone through once more. The caller has the pools filled afterwards
    (`labeling.tasks.fill_due_pools`). Raises `SourceError` and `PoolError`.
    """
    if len(concepts) > CONCEPTS_MAX:
        raise SourceError(
            f"{len(concepts):,} concepts were chosen; {CONCEPTS_MAX:,} are the limit: choose fewer."
        )
    chosen = {name: (phrases or {}).get(name, "") for name in concepts}
    options = Options.of(record.options)
    members = expanded(members, options)
    if index is None:
        index = source_index.build(members, options)
    outcomes.start(record, count(record.pictures, "picture"))
    plan = plans.plan(record=record, index=index, chosen=chosen)
    with Report() as report:
        importer.run(
            record=record,
            members=members,
            index=index,
            plan=plan,
            report=report,
            renew=lease.now_and_then(renew, seconds=RENEW_EVERY),
        )
        renew(index.images)
        report.unnamed = plan.unnamed
        outcomes.finish(record, report, summary(report.counts()))
    return report


def fail_lost_commands() -> int:
    """Fail the imports whose command was killed; return how many."""
    running = (State.FETCHING, State.READING, State.IMPORTING)
    lost = Import.objects.filter(state__in=running).exclude(source="").expired()
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
    return lambda: source.distinct(embedded.expand(members(), options))


def summary(counts: Mapping[str, Any]) -> str:
    """Return the counts of an import in words."""
    words = (
        f"{count(counts['taken'], 'new picture')}, {counts['known']:,} known already, "
        f"{count(counts['near_duplicates'], 'near-duplicate')}, {counts['refused']:,} refused"
    )
    texts = ledger.in_words(counts.get("texts", {}))
    retracted = ledger.retracted_in_words(counts.get("retracted", {}))
    return "; ".join(filter(None, (words, texts, retracted)))

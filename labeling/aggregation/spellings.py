"""Classes that are spelled in several ways: TRUE, True and true."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from labeling.aggregation.tables import shown

TRUTHS = {"true", "false"}  # which spreadsheets write as they like


def key(name: str) -> str:
    """Return what classes are compared by: no case, single spaces."""
    return " ".join(name.casefold().split())


def groups(names: Iterable[str]) -> list[list[str]]:
    """Return the names that differ in case or spaces alone, as sorted groups of two or more."""
    by_key: dict[str, set[str]] = defaultdict(set)
    for name in names:
        by_key[key(name)].add(name)
    return sorted(sorted(group) for group in by_key.values() if len(group) > 1)


def merged(counts: Mapping[str, int], *, all_of_them: bool) -> dict[str, str]:
    """Return for each name its most frequent spelling; the first one of several.

    Unless all are wanted, only true and false are merged, and other names stay as they are.
    """
    names = dict.fromkeys(counts)
    canonical = {name: name for name in names}
    for group in groups(names):
        if all_of_them or key(group[0]) in TRUTHS:
            (first, _), *_ = Counter({name: counts[name] for name in group}).most_common(1)
            canonical |= dict.fromkeys(group, first)
    return canonical


def in_words(group: Iterable[str]) -> str:
    """Return the spellings of one name: “TRUE”, “True” and “true”."""
    *others, last = [f"“{name}”" for name in group]
    return f"{', '.join(others)} and {last}" if others else last


def told(names: Iterable[str], canonical: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each class that is spelled in several ways: whether they are merged."""
    for group in groups(names):
        spelled = shown(in_words(group), 200)
        taken = {canonical[name] for name in group}
        if len(taken) == 1:
            yield f"{spelled} are one class, “{taken.pop()}”."
        else:
            yield (
                f"{spelled} are {len(group)} classes, which differ in case or spaces alone: merge "
                "such with --merge-classes."
            )

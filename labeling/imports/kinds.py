"""What a text is that its layout does not say: a caption, or keywords.

That is decided for each group of a source's texts, those of one suffix or one column, by all of
them together (`text_evidence`), unless it was chosen (`options`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labeling.imports import text_evidence, texts, wildcards
from labeling.imports.entries import Entry, Kind, Refusal
from labeling.imports.options import ALL, DEFAULTS, NAME_LENGTH, Options, Texts
from labeling.imports.text_evidence import MANY_PARTS, MANY_TEXTS, Evidence, Separator

OF_KEYWORDS = (
    "tag",
    "tags",
    "keyword",
    "keywords",
    "labels",
    "classes",
    "categories",
)  # ends of names
OF_CAPTIONS = ("caption", "captions", "sentence", "sentences", "description", "prompt", "alt")

MIXED, NEARLY_ALL = 0.15, 0.85  # share of lists, between which each text is decided by itself
TOGETHER = {
    Texts.CAPTIONS: "captions",
    Texts.KEYWORDS: "keywords",
    Texts.MIXED: "captions or keywords, each as it looks",
}
ALONE = {**TOGETHER, Texts.CAPTIONS: "a caption"}


@dataclass(frozen=True)
class Decision:
    """What the texts of a group are, and why."""

    group: str  # a suffix with its dot, or a column
    texts: int
    kind: Texts
    reason: str
    separator: Separator
    chosen: bool = False  # by a person

    def as_json(self) -> dict[str, Any]:
        """Return it as `Import.decisions` holds it."""
        group = texts.shown(self.group)[:NAME_LENGTH]
        words = {"group": group, "kind": str(self.kind), "separator": str(self.separator)}
        return {**asdict(self), **words}


Verdict = tuple[Texts, str]


def decide(
    entries: Iterable[Entry], options: Options = DEFAULTS
) -> tuple[Iterator[Entry | Refusal], list[Decision]]:
    """Return entries of which each is a caption or a keyword, or what its layout said it is.

    Return also what was decided of each group, in the order of their names. The entries are gone
    through three or four times.
    """
    counts = Counter(group for group, _ in _undecided(entries))
    samples: dict[str, list[str]] = {group: [] for group in counts}
    seen: Counter[str] = Counter()
    for group, text in _undecided(entries):
        if seen[group] % text_evidence.step(counts[group]) == 0:
            samples[group].append(text)
        seen[group] += 1
    decisions = {
        group: _decision(group, samples[group], options, count=counts[group])
        for group in sorted(counts)
    }
    return _decided(entries, decisions), list(decisions.values())


def _undecided(entries: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """Yield group and text of the entries of which it is to be decided what they are."""
    for entry in entries:
        if entry.kind is Kind.TEXT and isinstance(entry.text, str):
            yield entry.group, entry.text


def in_words(decision: Mapping[str, Any]) -> str:
    """Say what was decided: "12 texts in .txt files are captions: …"; as `as_json` has it."""
    count, group = decision["texts"], decision["group"]
    place = f"{group} files" if group.startswith(".") else f"the column {group}"
    noun, be = ("text", "is") if count == 1 else ("texts", "are")
    what = ALONE if count == 1 else TOGETHER
    where = f" in {place}" if group else ""
    return f"{count:,} {noun}{where} {be} {what[decision['kind']]}: {decision['reason']}"


def _decision(group: str, sample: Sequence[str], options: Options, *, count: int) -> Decision:
    evidence = text_evidence.gather(sample, count=count)
    chosen = _chosen(group, options)
    if chosen is Texts.AUTO:
        kind, reason = _verdict(group, evidence)
    else:
        kind, reason = chosen, "so it was chosen"
    return Decision(
        group=group,
        texts=count,
        kind=kind,
        reason=reason,
        separator=evidence.separator,
        chosen=chosen is not Texts.AUTO,
    )


def _chosen(group: str, options: Options) -> Texts:
    """Return what was chosen of a group: by its name, with its dot or without, or of all."""
    for name in (group, group.removeprefix("."), ALL):
        if name in options.texts:
            return options.texts[name]
    return Texts.AUTO


def _verdict(group: str, evidence: Evidence) -> Verdict:
    """Decide by the name of the group, where it says it, and by the evidence."""
    name = group.removeprefix(".").lower()
    if name.endswith(OF_KEYWORDS):
        return Texts.KEYWORDS, "their name says it"
    is_caption_by_name = name.endswith(OF_CAPTIONS) or not group.startswith(".")
    if evidence.listed < 0.5 and is_caption_by_name:
        return _of_single(evidence)
    if evidence.listed < 0.5 and evidence.lists > NEARLY_ALL:
        return Texts.KEYWORDS, f"{_percent(evidence.lists)} are single short words"
    if evidence.listed < 0.5 or evidence.sentences >= 0.3:
        lists_needed = MIXED if evidence.different >= MANY_TEXTS else 0.01
        lists = max(evidence.lists, evidence.files)
        if lists >= lists_needed and evidence.lists <= NEARLY_ALL:
            return Texts.MIXED, f"{_percent(lists)} look like lists, and the others do not"
    if evidence.listed < 0.5:
        return _of_single(evidence)
    if evidence.sentences >= 0.3:
        share = _percent(evidence.sentences)
        return Texts.CAPTIONS, f"{share} read like sentences, with articles or full stops"
    if evidence.different >= MANY_TEXTS and evidence.parts >= MANY_PARTS:
        return _of_many(evidence)
    return _of_few(evidence, is_caption_by_name=name.endswith(OF_CAPTIONS))


def _of_single(evidence: Evidence) -> Verdict:
    """Decide of texts of which most are of one piece."""
    is_class = evidence.repeated >= 0.8 and evidence.texts >= 3 * evidence.different
    if is_class and evidence.texts >= 6 and evidence.short >= 0.95 and evidence.sentences < 0.1:
        return Texts.KEYWORDS, f"they are short, and only {evidence.different:,} are different"
    if not evidence.listed:
        return Texts.CAPTIONS, "no separators divide them into parts"
    return Texts.CAPTIONS, f"separators divide {_percent(evidence.listed)} of them into parts"


def _of_many(evidence: Evidence) -> Verdict:
    """Decide by whether the parts of many texts recur."""
    mean = evidence.parts / evidence.different
    recur = evidence.recurring >= 0.5 and evidence.short >= 0.7
    recur_and_short = evidence.recurring >= 0.25 and evidence.short >= 0.9 and mean >= 3
    long_lists = evidence.short >= 0.9 and mean >= 6
    kind = Texts.KEYWORDS if recur or recur_and_short or long_lists else Texts.CAPTIONS
    return kind, _shares(evidence)


def _of_few(evidence: Evidence, *, is_caption_by_name: bool) -> Verdict:
    """Decide of so few texts that hardly anything recurs."""
    if evidence.separator is Separator.LINES:
        return Texts.CAPTIONS, "they are several lines each"
    recur = evidence.recurring >= 0.5 and evidence.short >= 0.9
    are_lists = evidence.lists >= 0.5 and evidence.short >= 0.8
    if (recur or are_lists) and not is_caption_by_name:
        return Texts.KEYWORDS, _shares(evidence)
    if is_caption_by_name:
        return Texts.CAPTIONS, "their name says it, and they are few"
    return Texts.CAPTIONS, _shares(evidence)


def _shares(evidence: Evidence) -> str:
    recurring, short = _percent(evidence.recurring), _percent(evidence.short)
    return (
        f"of the parts between {evidence.separator}, {recurring} recur in other texts, "
        f"and {short} are short"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _decided(
    entries: Iterable[Entry], decisions: Mapping[str, Decision]
) -> Iterator[Entry | Refusal]:
    """Yield what each text is; last those that only their looks decide, as all else is known."""
    mixed = {group for group, decision in decisions.items() if decision.kind is Texts.MIXED}
    for by_looks in (False, True) if mixed else (False,):
        for entry in entries:
            if (entry.kind is Kind.TEXT and entry.group in mixed) is by_looks:
                yield from _of_entry(entry, decisions)


def _of_entry(entry: Entry, decisions: Mapping[str, Decision]) -> Iterator[Entry | Refusal]:
    if entry.kind is not Kind.TEXT:
        yield entry
    elif not isinstance(entry.text, str):
        yield entry._replace(kind=Kind.CAPTION)
    else:
        decision = decisions[entry.group]
        yield from _AS[decision.kind](entry, decision)


def _as_keywords(entry: Entry, decision: Decision) -> Iterator[Entry]:
    for part in text_evidence.split(entry.text, decision.separator):
        yield entry._replace(kind=Kind.KEYWORD, text=part)


def _as_captions(entry: Entry, decision: Decision) -> Iterator[Entry | Refusal]:
    """Read a caption a line from a file beside its picture, with its wildcards filled in."""
    if not entry.group.startswith("."):
        yield entry._replace(kind=Kind.CAPTION)
        return
    for line in texts.lines(entry.text):
        variants = wildcards.variants(line)
        if isinstance(variants, str):
            yield Refusal(entry.where, Kind.CAPTION, variants)
        else:
            yield from (entry._replace(kind=Kind.CAPTION, text=text) for text in variants)


def _as_it_looks(entry: Entry, decision: Decision) -> Iterator[Entry | Refusal]:
    """Decide of a text by itself, as if its group held no other.

    What a mark sets off from tags (kohya's `|||`) is a caption, however many commas it has.
    """
    if entry.is_marked:
        yield from _as_captions(entry, decision)
        return
    alone = _decision(entry.group, [entry.text], DEFAULTS, count=1)
    yield from _AS[alone.kind](entry, alone)


_AS: Mapping[Texts, Callable[[Entry, Decision], Iterator[Entry | Refusal]]] = {
    Texts.KEYWORDS: _as_keywords,
    Texts.CAPTIONS: _as_captions,
    Texts.MIXED: _as_it_looks,
}

"""The fixed prompts that a run is watched and judged by."""

import re
from collections.abc import Sequence

from training.engine.data.colours import PROTOTYPES
from training.engine.data.rows import Row, Snapshot

FAVOURITES = (
    "a red apple",
    "a frog",
    "a red heart",
    "a cat",
    "a tree",
    "a clock",
    "a bus",
    "a guitar",
    "a house",
    "a fish",
)
COUNT = 10
SURE = 0.8


def fixed_prompts(snapshot: Snapshot) -> tuple[str, ...]:
    """Ten prompts that the snapshot can answer: favourites, then its concepts, then captions."""
    known = {word for row in snapshot.train for word in row_words(row)}
    wanted = [prompt for prompt in FAVOURITES if noun(prompt) in known]
    if len(wanted) < COUNT:
        seen = [
            c for c in snapshot.concepts if any(r.concepts.get(c, 0) >= 0.5 for r in snapshot.train)
        ]
        captions = [text for row in snapshot.train for text, _ in row.captions[:1]]
        wanted += [f"{_article(concept)} {concept}" for concept in seen] + captions
    return tuple(dict.fromkeys(wanted))[:COUNT]


def noun(prompt: str) -> str:
    """The last word: what the prompt is a picture of."""
    words = re.findall(r"\w+", prompt.lower())
    return words[-1] if words else ""


def row_words(row: Row) -> set[str]:
    """Whole keywords, and words of captions, that are said of a picture."""
    captions = " ".join(text for text, _ in row.captions).lower()
    return {tag.lower() for tag in row.tags} | set(re.findall(r"\w+", captions))


def shows(row: Row, prompt: str) -> bool:
    """Whether every content word of the prompt is said of the picture."""
    words = [word for word in re.findall(r"\w+", prompt.lower()) if word not in ("a", "an", "the")]
    return bool(words) and set(words) <= row_words(row)


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


# What no judge was chosen by


def text_of(row: Row) -> str:
    """What a picture is asked for by: its first caption, its surest concept, or nothing."""
    if row.captions:
        return row.captions[0][0]
    concept = max(row.concepts, key=lambda name: row.concepts[name], default="")
    return concept if row.concepts.get(concept, 0) >= SURE else ""


def held_out(snapshot: Snapshot, count: int) -> tuple[Row, ...]:
    """At most ``count`` held-out pictures, evenly spread.

    Those with texts, where there are any; and of them those with texts that training never saw,
    where there are ten or more.
    """
    known = {text_of(row).lower() for row in snapshot.train}
    told = [row for row in snapshot.test if text_of(row)] or list(snapshot.test)
    fresh = [row for row in told if text_of(row) and text_of(row).lower() not in known]
    rows = fresh if len(fresh) >= COUNT else told
    count = min(count, len(rows))
    return tuple(rows[index * len(rows) // count] for index in range(count))


def unseen_pairs(snapshot: Snapshot, prompts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(colour, object) pairs that no training picture is said to be, both known apart.

    The objects are those of the fixed prompts; each is given the next colour in turn.
    """
    words = [row_words(row) for row in snapshot.train]
    known = set[str]().union(*words)
    colours = [colour for colour in PROTOTYPES if colour in known]
    pairs: list[tuple[str, str]] = []
    for thing in dict.fromkeys(map(noun, prompts)):
        if thing not in known or thing in PROTOTYPES:
            continue
        start = len(pairs) % max(1, len(colours))
        for colour in colours[start:] + colours[:start]:
            if not any({colour, thing} <= said for said in words):
                pairs.append((colour, thing))
                break
    return tuple(pairs)


def coloured(colour: str, thing: str) -> str:
    return f"{_article(colour)} {colour} {thing}"


def named_colour(row: Row) -> str | None:
    """The one colour that a picture's captions name, or None."""
    said = set(re.findall(r"\w+", " ".join(text for text, _ in row.captions).lower()))
    found = [colour for colour in PROTOTYPES if colour in said]
    return found[0] if len(found) == 1 else None

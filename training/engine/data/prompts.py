"""Choose the prompts by which a run is watched and a model is judged."""

import re
from collections.abc import Sequence

from labeling.english import with_article
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
LIKELY = 0.8  # the probability from which a concept stands for a picture without captions
ARTICLES = ("a", "an", "the")


def fixed_prompts(snapshot: Snapshot) -> tuple[str, ...]:
    """Return ten prompts that the snapshot knows: favourites, then its concepts, then captions.

    Spellings that differ in case alone are one prompt.
    """
    known = {word for row in snapshot.train for word in row_words(row)}
    prompts = [prompt for prompt in FAVOURITES if noun(prompt) in known]
    if len(prompts) < COUNT:
        shown = [
            c for c in snapshot.concepts if any(r.concepts.get(c, 0) >= 0.5 for r in snapshot.train)
        ]
        captions = [text for row in snapshot.train for text, _ in row.captions[:1]]
        prompts += [with_article(concept) for concept in shown] + captions
    distinct: dict[str, str] = {}
    for prompt in prompts:
        distinct.setdefault(prompt.lower(), prompt)
    return tuple(distinct.values())[:COUNT]


def noun(prompt: str) -> str:
    """Return the last word: what the prompt is a picture of."""
    words = _words(prompt)
    return words[-1] if words else ""


def row_words(row: Row) -> set[str]:
    """Return the whole keywords, and the words of captions, of a picture."""
    captions = " ".join(text for text, _ in row.captions)
    return {tag.lower() for tag in row.tags} | set(_words(captions))


def fits_prompt(row: Row, prompt: str) -> bool:
    """Return whether a picture's texts have every word of the prompt, articles aside."""
    words = set(_words(prompt)) - set(ARTICLES)
    return bool(words) and words <= row_words(row)


def text_of(row: Row) -> str:
    """Return what a picture is asked for by: its first caption, its likeliest concept, or "".

    A concept that is no tag is believed by its prevalence alone: nothing speaks of the picture.
    """
    if row.captions:
        return row.captions[0][0]
    spoken_of = (name for name in row.tags if name in row.concepts)
    concept = max(spoken_of, key=lambda name: row.concepts[name], default="")
    return concept if row.concepts.get(concept, 0) >= LIKELY else ""


def held_out(snapshot: Snapshot, count: int) -> tuple[Row, ...]:
    """Return at most ``count`` held-out pictures, evenly spread.

    Those with texts, where there are any; and of them those with texts that training never saw,
    where there are ten or more.
    """
    texts = held_out_texts(snapshot)
    with_text = [row for row in snapshot.test if text_of(row)]
    unseen = [row for row in with_text if text_of(row).lower() in texts]
    rows = unseen if len(unseen) >= COUNT else with_text or list(snapshot.test)
    count = min(count, len(rows))
    return tuple(rows[index * len(rows) // count] for index in range(count))


def held_out_texts(snapshot: Snapshot) -> set[str]:
    """Return the texts of held-out pictures that no training picture has, in small letters."""
    train = {text_of(row).lower() for row in snapshot.train}
    return {text_of(row).lower() for row in snapshot.test} - train - {""}


def same_words(prompt: str) -> frozenset[str]:
    """Return the words of a prompt, articles aside: equal where two prompts ask for the same."""
    return frozenset(_words(prompt)) - frozenset(ARTICLES)


def unseen_pairs(snapshot: Snapshot, prompts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return (colour, thing) pairs that label no training picture together, each known on its own.

    The things are those of the fixed prompts; each is given the next colour in turn.
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
            if not any({colour, thing} <= of_row for of_row in words):
                pairs.append((colour, thing))
                break
    return tuple(pairs)


def coloured(colour: str, thing: str) -> str:
    """Return the prompt for a thing in a colour."""
    return f"{with_article(colour)} {thing}"


def named_colour(row: Row) -> str | None:
    """Return the one colour that a picture's captions name, or None."""
    words = set(_words(" ".join(text for text, _ in row.captions)))
    colours = [colour for colour in PROTOTYPES if colour in words]
    return colours[0] if len(colours) == 1 else None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())

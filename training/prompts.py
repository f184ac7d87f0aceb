"""The fixed prompts that a run is watched and judged by."""

import re

from training.data import Row, Snapshot

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

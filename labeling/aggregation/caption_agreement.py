"""Which of a picture's captions the others agree with, by their characters or by embeddings.

Consensus: of several descriptions that one is best which is nearest to all others, as in
R. Vedantam et al., "CIDEr: Consensus-based image description evaluation", CVPR 2015. Texts are
compared by n-grams of characters, weighed by inverse document frequency over pictures, so that no
language needs a list of words; a sentence encoder's embeddings do as well (`CaptionSpace`).

What everybody can raise for themselves is no agreement:

- The mean likeness to captions of *other* pictures is taken off: a sentence that is written below
  every picture is like all of them.
- A writer's own captions say nothing for each other. Copies of one text by several people are one
  voice, for the others and for each other, and for each other not as one that is near. Captions of
  one import count half of what those of different sources do.
- A caption counts for others as far as it is probably true.
- What is in another language or script than the others is neither near to them nor far away: it
  keeps the mean of its picture. So do captions of which there are only two.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]
Rows = Any  # unit rows (n, width): a csr_array, or an array
Encode = Callable[[Sequence[str]], Rows]

SIZES = 2, 3, 4  # characters of an n-gram
WIDTH_BITS = 18  # of the places into which n-grams are hashed
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # of the hash: 2^64 over the golden ratio
COPY = 0.9  # likeness from which on two texts are one
REPEATED = 0.3  # likeness that copies by others are worth together
OF_ONE_IMPORT = 0.5  # what captions of one import count for each other
LEAST_OTHERS = 2  # comparable captions, with fewer of which nobody can be told to stand apart
MOST = 40  # captions of one picture, beyond which the least likely are not compared
LARGEST = 3.0  # deviations
TINY = 1e-12
DEVIATION, SHRUNK = 0.1, 20  # likeness that is one deviation, as of so many captions

FREQUENT, FEWEST = 0.05, 50  # share of sentences, at least so many, that hold a frequent word
TOGETHER = 0.2  # of what is expected by chance, how often words of one language meet


@dataclass(frozen=True)
class Written:
    """N captions of a few pictures."""

    texts: Sequence[str]
    picture: Index  # (N,)
    writer: Index  # (N,) a number for each person; -1: not known
    origin: Index  # (N,) a number for each import and vendor; -1: none
    probability: Floats  # (N,) that each is true


class CaptionSpace:
    """How like captions of a project are to each other, by a sample of them."""

    def __init__(
        self, texts: Sequence[str], picture: Sequence[int], encode: Encode | None = None
    ) -> None:
        """Learn what is usual. encode: returns unit rows; without it, n-grams are compared."""
        pictures = np.unique(np.asarray(picture, np.intp), return_inverse=True)[1].reshape(-1)
        self._languages = Languages(texts)
        self._encode = encode or _NGrams(texts, pictures)
        rows = self._encode(texts)
        self._mean = np.asarray(rows.sum(0), np.float64).reshape(-1) / max(len(texts), 1)
        nobody = np.full(len(texts), -1)
        sample = Written(texts, pictures, nobody, nobody, np.ones(len(texts)))
        centred = self._centred(sample, rows)
        square = float(np.sum(centred**2)) + SHRUNK * DEVIATION**2
        self._deviation = (square / (np.count_nonzero(centred) + SHRUNK)) ** 0.5

    def agreement(self, captions: Written) -> Floats:
        """Return (N,) how much nearer each is to its picture's others than these are.

        It is in deviations, within ±LARGEST, and 0 where nothing can be said.
        """
        if not len(captions.texts):
            return np.zeros(0)
        centred = self._centred(captions, self._encode(captions.texts))
        bounded: Floats = (centred / self._deviation).clip(-LARGEST, LARGEST)
        return bounded

    def _centred(self, captions: Written, rows: Rows) -> Floats:
        """Return (N,) likenesses to the others of each picture, less their mean; 0: of too few."""
        size = len(captions.texts)
        usual = np.asarray(rows @ self._mean, np.float64).reshape(-1)
        near = self._likeness(captions, rows) - usual
        told = np.isfinite(near)
        pictures = int(captions.picture.max(initial=-1)) + 1
        known = np.bincount(captions.picture, told, pictures)
        means = np.bincount(captions.picture, np.where(told, near, 0), pictures) / known.clip(1)
        centred: Floats = np.where(told, near - means[captions.picture], np.zeros(size))
        return centred

    def _likeness(self, captions: Written, rows: Rows) -> Floats:
        """Return (N,) the mean likeness of each to its picture's others; NaN: to too few."""
        size = len(captions.texts)
        one, other = _pairs(captions)
        product = rows[one] * rows[other]
        alike = np.asarray(product.sum(1), np.float64).reshape(-1)
        copies = alike >= COPY
        writer, origin = captions.writer, captions.origin
        own = (writer[one] == writer[other]) & (writer[one] >= 0)
        near = (origin[one] == origin[other]) & (origin[one] >= 0)
        comparable = self._languages.comparable(captions.texts, one, other)
        counts = 1 + np.bincount(one, copies, size) + np.bincount(other, copies, size)
        weight = captions.probability / counts  # (N,) of each for the others
        usable = comparable & ~copies & ~own
        share = usable * np.where(near, OF_ONE_IMPORT, 1.0)
        total: Floats = np.zeros(size) + np.bincount(one, share * weight[other], size)
        total += np.bincount(other, share * weight[one], size)
        sums: Floats = np.zeros(size) + np.bincount(one, share * weight[other] * alike, size)
        sums += np.bincount(other, share * weight[one] * alike, size)
        comparable_others = np.bincount(one, usable, size) + np.bincount(other, usable, size)
        repeats = copies & ~own  # all of them together are one voice, and none that is near
        repeated = np.bincount(one, repeats, size) + np.bincount(other, repeats, size) > 0
        voice = repeated * captions.probability
        total = total + voice
        sums = sums + REPEATED * voice
        enough = (comparable_others + repeated >= LEAST_OTHERS) & (total > 0)
        means: Floats = np.where(enough, sums / np.maximum(total, TINY), np.nan)
        return means


def _pairs(captions: Written) -> tuple[Index, Index]:
    """Return the pairs of captions of one picture, of very many the likeliest."""
    order = np.lexsort((-captions.probability, captions.picture))
    _, starts = np.unique(captions.picture[order], return_index=True)
    pairs = []
    for of_picture in np.split(order, starts[1:]):
        if len(of_picture) > LEAST_OTHERS:
            some = of_picture[:MOST]
            pairs.append(some[np.stack(_upper(len(some)))])
    if not pairs:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    one, other = np.concatenate(pairs, 1)
    return one, other


@lru_cache(maxsize=64)
def _upper(size: int) -> tuple[Index, Index]:
    """Return the places of all pairs of so many."""
    return np.triu_indices(size, 1)


class Languages:
    """Which texts can be in one language: by their script, and by words that never meet.

    Two frequent words of one language meet in sentences; "the" and "der" never do.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        sentences = [frozenset(words(text)) for text in texts]
        counts = Counter(word for sentence in sentences for word in sentence)
        least = max(FREQUENT * len(sentences), FEWEST)
        self._counts = {word: count for word, count in counts.items() if count >= least}
        self._pairs = Counter(
            pair
            for sentence in sentences
            for pair in combinations(sorted(sentence & self._counts.keys()), 2)
        )
        self._size = len(sentences)

    def comparable(self, texts: Sequence[str], one: Index, other: Index) -> Bools:
        """Return (M,) of pairs of texts, by their places, which can be in the same language."""
        scripts = np.array([script(text) for text in texts], object)
        result: Bools = (scripts[one] == scripts[other]).astype(bool)
        if self._counts:
            frequent = [tuple(sorted(self._counts.keys() & set(words(text)))) for text in texts]
            for pair in np.flatnonzero(result).tolist():
                result[pair] = self._meet(frequent[one[pair]], frequent[other[pair]])
        return result

    def _meet(self, some: Sequence[str], others: Sequence[str]) -> bool:
        """Whether half of the pairs of these words meet as words of one language do."""
        pairs = [(a, b) if a < b else (b, a) for a in some for b in others if a != b]
        if not pairs or set(some) & set(others):
            return True
        met = sum(
            self._pairs[a, b] > TOGETHER * self._counts[a] * self._counts[b] / self._size
            for a, b in pairs
        )
        return 2 * met >= len(pairs)


def words(text: str) -> list[str]:
    """Return the words of a text, folded so that case and Unicode variants do not matter."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(each if each.isalnum() or _is_mark(each) else " " for each in folded).split()


def script(text: str) -> str:
    """Return the script of most letters of a text, "" without letters."""
    counts = Counter(_script(each) for each in text if each.isalpha())
    return counts.most_common(1)[0][0] if counts else ""


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").split(" ")[0].split("-")[0]
    return "CJK" if name in {"HIRAGANA", "KATAKANA"} else name


@lru_cache(maxsize=4096)
def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Mc"}


class _NGrams:
    """Turn texts into unit rows of n-grams, weighed by how few pictures' captions have each."""

    def __init__(self, texts: Sequence[str], picture: Index) -> None:
        rows, places, _ = _hashed(texts)
        pictures = int(picture.max(initial=-1)) + 1
        size = 1 << WIDTH_BITS
        distinct = np.unique(picture[rows] * size + places) % size
        frequency = np.bincount(distinct, minlength=size)
        self._weights = np.log((pictures + 1) / (frequency + 0.5)).clip(0)

    def __call__(self, texts: Sequence[str]) -> Rows:
        rows, places, counts = _hashed(texts)
        values = (1 + np.log(counts)) * self._weights[places]
        length = np.sqrt(np.bincount(rows, values**2, len(texts)))
        values /= np.maximum(length, TINY)[rows]
        return csr_array((values, (rows, places)), (len(texts), len(self._weights)))


def _hashed(texts: Sequence[str]) -> tuple[Index, Index, Index]:
    """Return text, hashed n-gram and its count, for all n-grams of all texts."""
    spaced = [f" {' '.join(words(text))} " for text in texts]
    codes = np.frombuffer("".join(spaced).encode("utf-32-le"), "<u4").astype(np.uint64)
    lengths = np.array([len(each) for each in spaced], np.intp)
    text = np.repeat(np.arange(len(texts)), lengths)
    ends = np.cumsum(lengths)[text] if len(texts) else text
    place = np.arange(len(codes))
    keys = []
    for size in SIZES:
        hashed = np.full(len(codes), size, np.uint64)
        for offset in range(size):
            letter = np.roll(codes, -offset)
            hashed = (hashed ^ letter) * MULTIPLIER
            hashed ^= hashed >> np.uint64(29)
        inside = place + size <= ends
        bucket = (hashed[inside] >> np.uint64(64 - WIDTH_BITS)).astype(np.intp)
        keys.append(text[inside] << WIDTH_BITS | bucket)
    distinct, counts = np.unique(np.concatenate(keys), return_counts=True)
    return distinct >> WIDTH_BITS, distinct & ((1 << WIDTH_BITS) - 1), counts

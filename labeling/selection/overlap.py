"""How much two sentences have in common, by their words alone, in any language."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

_WORD = re.compile(r"\w+")
# Written without spaces between words: each character stands for a word.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)


@lru_cache(maxsize=4096)
def words(sentence: str) -> frozenset[str]:
    """Return a sentence's words, folded so that case and Unicode variants do not matter."""
    folded = unicodedata.normalize("NFKC", sentence).casefold()
    spaced = _WORD.findall(_UNSPACED.sub(" ", folded))
    return frozenset((*spaced, *_UNSPACED.findall(folded)))


class Overlap:
    """The overlap of sentences, in which rare words weigh more than frequent ones.

    A word weighs its inverse document frequency in the sentences that were passed in, so that no
    language needs a list of words that say nothing: K. Spärck Jones, "A statistical interpretation
    of term specificity and its application in retrieval", Journal of Documentation 28 (1972).
    """

    def __init__(self, sentences: Iterable[str]) -> None:
        distinct = set(sentences)
        counts = Counter(word for sentence in distinct for word in words(sentence))
        self._weights = {
            word: math.log((len(distinct) + 1) / count) for word, count in counts.items()
        }
        self._rarest = math.log(len(distinct) + 1) or 1.0

    def of(self, first: str, second: str) -> float:
        """Return the weight of the common words by that of the lighter sentence, in [0, 1]."""
        lighter = min(self._weight(words(first)), self._weight(words(second)))
        return self._weight(words(first) & words(second)) / lighter if lighter else 1.0

    def _weight(self, some: Iterable[str]) -> float:
        return math.fsum(self._weights.get(word, self._rarest) for word in some)

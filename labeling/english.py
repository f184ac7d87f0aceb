"""English nouns: which article a name takes where it is put into a sentence."""

import re

_LETTERS = "a-z\u00c0-\u024f"
# Names that take an article begin with a Latin word without a digit.
_LATIN = re.compile(rf"[{_LETTERS}]+(?![{_LETTERS}\d])", re.IGNORECASE)
_DETERMINED = re.compile(
    r"(?:an?|the|some|any|no|all|both|many|several|few|one|two|three|my|your|his|her|its|our|their"
    r"|this|that|these|those)\s",
    re.IGNORECASE,
)
_HEAD = re.compile(
    r"\s(?:of|in|on|with|without|at|from|for|to|by|near|under|over)\s", re.IGNORECASE
)
_PLURAL = re.compile(
    r"\w[^\W\d_]*(?<![siu])s$|(?:people|men|women|children|feet|teeth|mice|geese)$"
)
_SINGULAR = frozenset({"alias", "atlas", "bias", "canvas", "christmas", "gas", "lens", "pancreas"})
_VOWEL = re.compile(r"(?:[aeiou]|hour|heir|honest|honou?r)", re.IGNORECASE)
_CONSONANT = re.compile(r"(?:eu|ewe|one\b|once\b|ufo|uni(?!n|m)|us[aeu]|ukulele)", re.IGNORECASE)


def with_article(name: str) -> str:
    """Return a name with its indefinite article: "an apple", "a man with glasses".

    A plural, a name that has an article or a number, and one in another script stay as they are.
    """
    if not _LATIN.match(name) or _DETERMINED.match(name) or _is_plural(name):
        return name
    an = _VOWEL.match(name) and not _CONSONANT.match(name)
    return f"{'an' if an else 'a'} {name}"


def _is_plural(name: str) -> bool:
    """Return whether the noun before "of", "with" and the like is a plural, by its ending."""
    head = _HEAD.split(name, maxsplit=1)[0].rstrip().rpartition(" ")[2].lower()
    return head not in _SINGULAR and bool(_PLURAL.match(head))

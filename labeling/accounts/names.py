"""User names that nobody can mistake for another's.

A much smaller rule than Unicode Technical Standard 39, on the same ideas: one script a name, and
a skeleton (the name with each letter replaced by the one that it looks like) that is unique.
"""

import unicodedata

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import F, Func, QuerySet, Value
from django.db.models.functions import Lower

# lower-case letters and digits that look like a letter, themselves or as capitals
LOOKALIKES = {
    "a": "аαɑ",
    "b": "вβ",
    "c": "сϲ",
    "d": "ԁ",
    "e": "еεҽ",
    "g": "ɡց",
    "h": "нηһհ",
    "j": "јϳ",
    "k": "кκ",
    "l": "1iіιıӏǀɩ",
    "m": "мμ",
    "n": "νո",
    "o": "0оοօ",
    "p": "рρ",
    "q": "ԛզ",
    "s": "ѕ",
    "t": "тτ",
    "u": "υս",
    "v": "ѵ",
    "w": "ԝ",
    "x": "хχ",
    "y": "уγү",
    "z": "ζ",
}
_FROM = "".join(LOOKALIKES.values())
_TO = "".join(letter * len(likes) for letter, likes in LOOKALIKES.items())
_SKELETON = str.maketrans(_FROM, _TO)
JAPANESE = {"CJK", "HIRAGANA", "KATAKANA"}
KOREAN = {"CJK", "HANGUL"}


def validate(name: str) -> None:
    """Raise ValidationError where a new name mixes scripts or looks like one that is taken."""
    scripts = {_script(letter) for letter in name if letter.isalpha() or not letter.isascii()}
    if len(scripts) > 1 and not (scripts <= JAPANESE or scripts <= KOREAN):
        raise ValidationError("Use letters of one alphabet only.", "mixed_scripts")
    if skeleton(name).isascii() and not name.isascii():
        raise ValidationError("This looks like a name in Latin letters: use those.", "lookalike")
    if alike(name).exists():
        raise ValidationError("This name is taken, or looks like one that is.", "taken")


def skeleton(name: str) -> str:
    """Return the name in lower case, with each letter replaced by what it looks like."""
    return unicodedata.normalize("NFKC", name).lower().translate(_SKELETON)


def alike(name: str) -> QuerySet[User]:
    """Return the users whose names look like this one, itself among them."""
    lowered = Func(Lower(F("username")), Value(_FROM), Value(_TO), function="translate")
    return User.objects.annotate(skeleton=lowered).filter(skeleton=skeleton(name))


def _script(letter: str) -> str:
    """Return the script that begins a letter's Unicode name: "CYRILLIC SMALL LETTER A"."""
    return unicodedata.name(letter, "UNKNOWN").replace("-", " ").split()[0]

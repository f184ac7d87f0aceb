"""User names that nobody can mistake for another's.

A much smaller rule than Unicode Technical Standard 39, on the same ideas: one script a name, and
a skeleton (the name with each letter replaced by the one that it looks like) that is unique.
"""

import unicodedata

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db.models import F, Func, QuerySet, Value
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

# lower-case letters and digits that look like a letter, themselves or as capitals
CONFUSABLES = {
    "a": "аαɑᴀꓮꭺ",
    "b": "вβʙꓐᏼ",
    "c": "сϲᴄꓚꮯ",
    "d": "ԁᴅꓓꭰ",
    "e": "еεҽᴇꓰꭼ",
    "f": "ꜰꓝ",
    "g": "ɡցɢꓖꮐ",
    "h": "нηһհʜꓧꮋ",
    "j": "јϳᴊꓙꭻ",
    "k": "кκᴋꓗꮶ",
    "l": "1iіιıӏǀɩɪʟꓡꓲꭵꮮꮖ",
    "m": "мμᴍꓟꮇ",
    "n": "νոɴꓠ",
    "o": "0оοօᴏꓳꮎ",
    "p": "рρᴘꓑꮲ",
    "q": "ԛզ",
    "r": "ʀꓣꭱ",
    "s": "ѕꜱꓢꮪ",
    "t": "тτᴛꓔꭲ",
    "u": "υսᴜꓴ",
    "v": "ѵᴠꓦꮩ",
    "w": "ԝᴡꓪꮃ",
    "x": "хχꓫ",
    "y": "уγүʏꓬ",
    "z": "ζᴢꓜꮓ",
    "σ": "ς",
}
_FROM = "".join(CONFUSABLES.values())
_TO = "".join(letter * len(likes) for letter, likes in CONFUSABLES.items())
_SKELETON = str.maketrans(_FROM, _TO)
JAPANESE = {"CJK", "HIRAGANA", "KATAKANA"}
KOREAN = {"CJK", "HANGUL"}


def validate(name: str) -> None:
    """Raise ValidationError where a new name mixes scripts or looks like one that is taken."""
    scripts = {_script(letter) for letter in name if letter.isalpha() or not letter.isascii()}
    if len(scripts) > 1 and not (scripts <= JAPANESE or scripts <= KOREAN):
        raise ValidationError(_("Use letters of one alphabet only."), "mixed_scripts")
    if skeleton(name).isascii() and not name.isascii():
        raise ValidationError(_("This looks like a name in Latin letters: use those."), "alike")
    if alike(name).exists():
        raise ValidationError(_("This name is taken, or looks like one that is."), "taken")


def skeleton(name: str) -> str:
    """Return the name in lower case, with each letter replaced by what it looks like.

    Letters are lowered one by one, as PostgreSQL does it, whatever stands beside them.
    """
    letters = unicodedata.normalize("NFKC", name)
    return "".join(letter.lower() for letter in letters).translate(_SKELETON)


def alike(name: str) -> QuerySet[User]:
    """Return the users whose names look like this one, itself among them."""
    lowered = Func(Lower(F("username")), Value(_FROM), Value(_TO), function="translate")
    return User.objects.annotate(skeleton=lowered).filter(skeleton=skeleton(name))


def _script(letter: str) -> str:
    """Return the script that begins a letter's Unicode name: "CYRILLIC SMALL LETTER A"."""
    return unicodedata.name(letter, "UNKNOWN").replace("-", " ").split()[0]

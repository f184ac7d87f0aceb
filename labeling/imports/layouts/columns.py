"""What the columns of a table hold, by their names or as it was chosen."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from labeling.imports.options import Column

PICTURES = (  # the first of them that a table has names the picture
    *("file_name", "filename", "file_path", "filepath", "image_path", "img_path", "image_file"),
    *("image_name", "img_name", "path", "file", "image", "img", "picture", "photo"),
    *("image_id", "id"),
)
EXACT = {
    Column.CAPTION: {"text", "texts", "sentence", "sentences", "alt", "alttext", "comment"},
    Column.KEYWORDS: {"tag", "keyword", "tagstring", "hashtags"},
    Column.LABEL: {"label", "labels", "class", "classes", "category", "categories", "species"},
    Column.LICENSE: {"license", "licence"},
}
ENDS = {
    Column.CAPTION: ("caption", "captions", "prompt", "prompts", "description", "descriptions"),
    Column.KEYWORDS: ("tags", "keywords"),
    Column.LABEL: ("classname", "labelname", "categoryname", "finelabel", "coarselabel"),
}
NUMBERED = re.compile(r"[\W_]*\d+$|[\W_]+[a-z]{2}$", re.IGNORECASE)  # caption_0, caption_en
NOT_TEXTS = re.compile(r"negative|bad", re.IGNORECASE)
NEVER = {"gold"}
WANTED = "caption, text, description, prompt, tags, keywords, label or gold"
ADVICE = f"wanted {WANTED}: name them so, or choose a column (--columns caption=…)"


def role(column: str, chosen: Mapping[Column, str]) -> Column | None:
    """Return what a column holds of texts; None: nothing that is read."""
    for name, wanted in chosen.items():
        if _is_same(column, wanted) and name is not Column.PICTURE:
            return name
    by_name = _by_name(column)
    return None if by_name in chosen else by_name


@lru_cache(maxsize=4096)
def _by_name(column: str) -> Column | None:
    """Return what a column holds by its name."""
    for plain in (_plain(column), _plain(NUMBERED.sub("", column))):
        for name, names in EXACT.items():
            if plain in names:
                return name
        for name, ends in ENDS.items():
            if plain.endswith(ends) and not NOT_TEXTS.search(column):
                return name
    return None


def picture(columns: Iterable[str], chosen: Mapping[Column, str]) -> str | None:
    """Return the column that names the picture."""
    names = list(columns)
    if wanted := chosen.get(Column.PICTURE):
        same = (name for name in names if _is_same(name, wanted))
        return wanted if wanted in names else next(same, None)
    by_plain = {_plain(name): name for name in reversed(names)}
    for plain in map(_plain, PICTURES):
        if plain in by_plain:
            return by_plain[plain]
    return next((name for name in names if is_file_name(name)), None)


def _is_same(column: str, wanted: str) -> bool:
    """Whether a column was meant by somebody who chose it, in whichever case they wrote it."""
    return column.strip().casefold() == wanted.strip().casefold()


def is_file_name(column: str) -> bool:
    """Whether a column names a file, as Hugging Face's tables call it: `file_name`, `x_file_name`.

    A list of them is `file_names`.
    """
    return column.endswith(("file_name", "file_names"))


@lru_cache(maxsize=4096)
def _plain(column: str) -> str:
    return re.sub(r"[\W_]+", "", column.casefold())

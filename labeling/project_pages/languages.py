"""The languages that a project may be in, each under its own name."""

from django.conf.locale import LANG_INFO

from labeling.languages import clean


def choices(*more: str) -> list[tuple[str, str]]:
    """Return (tag, name) of languages by their names; and the tags in `more` if unlisted."""
    known = {
        clean(info["code"]): _as_title(info["name_local"])
        for info in LANG_INFO.values()
        if "code" in info
    }
    listed = sorted(known.items(), key=lambda pair: pair[1].casefold())
    return listed + [(tag, tag) for tag in dict.fromkeys(more) if tag and tag not in known]


def _as_title(name: str) -> str:
    """Return a name with a capital in front; others stay, as in “Español de Argentina”."""
    return name[:1].upper() + name[1:]

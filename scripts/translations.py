"""Keep the catalogues of sentences in step with the source: extract, update, compile.

    .venv/bin/python scripts/translations.py [--list]

Every sentence in the source that is marked for translation is put into
`locale/LANGUAGE/LC_MESSAGES/django.po` (Python and templates) and `djangojs.po` (scripts);
sentences that have gone are taken out. Then each .po file is compiled into the .mo file beside it.
Babel does it all: GNU gettext need not be installed. --list prints what is not translated yet.
"""

import argparse
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "locale"
LANGUAGES = "de", "es", "fr", "ar", "zh_Hans"  # as folders are named; English is the source's
RIGHT_TO_LEFT = {"ar"}
DOMAINS = "django", "djangojs"
ISOLATE, POP_ISOLATE = "\u2066", "\u2069"  # Unicode's marks around text from left to right
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
COMMENT_TAGS = ("Translators:",)
_NOISE = re.compile(  # of a header: what says nothing here, or changes with the day or the tool
    rb'^"(POT-Creation-Date|Report-Msgid-Bugs-To|Last-Translator|Language-Team|Generated-By).*\n',
    re.M,
)
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%")


def sentences(domain: str) -> Catalog:
    """Return every sentence of a domain in the source, and the files that hold it."""
    catalog = Catalog(project="Tessera", charset="utf-8")
    for path, messages in _sources(domain):
        name = str(path.relative_to(ROOT))
        for line, message, comments, context in messages:
            catalog.add(message, locations=[(name, line)], auto_comments=comments, context=context)
    return catalog


def read(language: str, domain: str) -> Catalog:
    """Return what is translated so far."""
    with po_path(language, domain).open("rb") as file:
        return read_po(file, locale=language, domain=domain, abort_invalid=True)


def update(language: str, domain: str, source: Catalog) -> Catalog:
    """Bring the catalogue of a language up to date with the source, and write both its files."""
    catalog = read(language, domain)
    catalog.update(source, no_fuzzy_matching=True, update_creation_date=False)
    path = po_path(language, domain)
    path.write_bytes(_as_po(catalog))
    path.with_suffix(".mo").write_bytes(compiled(catalog, language))
    return catalog


def compiled(catalog: Catalog, language: str) -> bytes:
    """Return a catalogue as a .mo file, without the sentences that are not translated.

    In a language that is written from right to left, the English sentence that stands in for one
    is isolated, so that its full stop stays at its end.
    """
    buffer = io.BytesIO()
    write_mo(buffer, _Compiled(catalog, language))  # type: ignore[arg-type]
    return buffer.getvalue()


def missing(catalog: Catalog) -> list[Message]:
    """Return the sentences that have no translation, or only some of its plural forms."""
    return [message for message in catalog if message.id and not all(forms(message))]


def forms(message: Message) -> tuple[str, ...]:
    """Return the translation of a sentence, or all of its plural forms; some may be empty."""
    string: Any = message.string or ""
    return (string,) if isinstance(string, str) else tuple(each or "" for each in string)


def placeholders(text: str) -> list[str]:
    """Return the named placeholders in a text, sorted."""
    return sorted(_PLACEHOLDER.findall(text))


def po_path(language: str, domain: str) -> Path:
    """Return the path of a catalogue's source."""
    return LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


class _Compiled:
    """What of a catalogue goes into its .mo file: nothing that changes without a sentence."""

    def __init__(self, catalog: Catalog, language: str) -> None:
        self.charset = "utf-8"
        self._catalog = catalog
        self._isolates = language in RIGHT_TO_LEFT

    def __iter__(self) -> Iterator[Message]:
        plural_forms = f"Plural-Forms: {self._catalog.plural_forms}"
        yield Message("", f"Content-Type: text/plain; charset=utf-8\n{plural_forms}\n")
        for message in list(self._catalog)[1:]:
            if all(forms(message)):
                yield message
            elif self._isolates:
                strings = _isolated(message, self._catalog.num_plurals)
                yield Message(message.id, strings, context=message.context)


def _isolated(message: Message, plurals: int) -> str | tuple[str, ...]:
    if isinstance(message.id, str):
        return f"{ISOLATE}{message.id}{POP_ISOLATE}"
    return (f"{ISOLATE}{message.id[1]}{POP_ISOLATE}",) * plurals


def _as_po(catalog: Catalog) -> bytes:
    buffer = io.BytesIO()
    write_po(
        buffer, catalog, width=100, sort_by_file=True, ignore_obsolete=True, include_lineno=False
    )
    return _NOISE.sub(b"", buffer.getvalue())


def _sources(domain: str) -> Iterator[tuple[Path, Iterable[Any]]]:
    if domain == "djangojs":
        for path in sorted((ROOT / "frontend" / "static").rglob("*.js")):
            yield path, _messages("javascript", path.read_bytes())
        return
    for name in ("config", "labeling", "training"):
        for path in sorted((ROOT / name).rglob("*.py")):
            yield path, _messages("python", path.read_bytes())
    templates = ROOT / "frontend" / "templates"
    mails = templates.rglob("*.txt")
    for path in sorted([*templates.rglob("*.html"), *mails]):
        if path.is_relative_to(templates / "admin"):  # which says what Django's admin says
            continue
        yield path, _messages("python", _as_python(path.read_text(), path))


def _messages(method: str, source: bytes) -> Iterable[Any]:
    return extract(method, io.BytesIO(source), KEYWORDS, COMMENT_TAGS, {"encoding": "utf-8"})


def _as_python(template: str, path: Path) -> bytes:
    """Return a template's sentences as calls in Python, each in the line that it is in."""
    from django.utils.translation import templatize

    lines: str = templatize(template, origin=str(path))
    return "\n".join(line.lstrip() for line in lines.split("\n")).encode()


def main() -> None:
    """Bring all catalogues up to date, and tell what is not translated yet."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="print what is not translated yet")
    options = parser.parse_args()
    for domain in DOMAINS:
        source = sentences(domain)
        for language in LANGUAGES:
            absent = missing(update(language, domain, source))
            print(f"{language:8}{domain:10}{len(source):5} sentences, {len(absent)} missing")
            for message in absent if options.list else ():
                print(f"  {message.id!r}")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    sys.path.insert(0, str(ROOT))
    main()

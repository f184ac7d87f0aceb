"""The catalogues hold every sentence of the source, and are compiled as they are written."""

import io
import re
from gettext import GNUTranslations, c2py  # type: ignore[attr-defined]
from html.parser import HTMLParser

import pytest
from babel.messages.catalog import Catalog, Message

from scripts import translations

CATALOGUES = [
    (language, domain) for language in translations.LANGUAGES for domain in translations.DOMAINS
]
UNREADABLE = re.compile(r"""(?<![\w.])(?:gettext|gettext_lazy|ngettext|_)\(\s*[^"'\s?)].*""")
# How many things each of Arabic's six plural forms counts, by the Unicode CLDR.
ARABIC_FORMS = {0: [0], 1: [1], 2: [2], 3: [3, 10, 103], 4: [11, 99, 111], 5: [100, 102, 1000]}


@pytest.fixture(params=CATALOGUES, ids="-".join)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    return translations.read(*request.param)


@pytest.fixture(scope="module", params=translations.DOMAINS)
def source(request: pytest.FixtureRequest) -> tuple[str, Catalog]:
    return request.param, translations.sentences(request.param)


@pytest.mark.parametrize(("language", "domain"), CATALOGUES)
def test_compiled_catalogue_is_what_its_source_says(language: str, domain: str) -> None:
    path = translations.po_path(language, domain).with_suffix(".mo")
    compiled = translations.compiled(translations.read(language, domain), language)
    assert path.read_bytes() == compiled, "Run scripts/translations.py."


@pytest.mark.parametrize("language", translations.LANGUAGES)
def test_catalogue_has_every_sentence_of_the_source_and_no_other(
    language: str, source: tuple[str, Catalog]
) -> None:
    domain, sentences = source
    written = {_key(message) for message in translations.read(language, domain)}
    assert written == {_key(message) for message in sentences}, "Run scripts/translations.py."


def test_every_sentence_is_translated(catalogue: Catalog) -> None:
    assert [message.id for message in translations.missing(catalogue)] == []
    assert not [message.id for message in catalogue if message.id and message.fuzzy]


def test_translation_has_the_placeholders_of_its_sentence(catalogue: Catalog) -> None:
    for message in catalogue:
        wanted = [translations.placeholders(text) for text in _ids(message)]
        for at, text in enumerate(translations.forms(message)):
            given = translations.placeholders(text)
            allowed = [wanted[-1]]
            if len(wanted) > 1 and _counts_little(catalogue, at):  # "one answer" needs no number
                allowed += [wanted[0], _without_count(wanted[-1])]
            if catalogue.num_plurals == 6 and at == 0:  # "none", of which nothing more is told
                allowed.append([])
            assert not text or not message.id or given in allowed, text


def test_translation_has_the_markup_of_its_sentence(catalogue: Catalog) -> None:
    for message in catalogue:
        for text in translations.forms(message):
            if message.id and text:
                sentence = _ids(message)[-1]
                assert _tags(text) == _tags(sentence)
                assert '"' in sentence or '"' not in text  # it may stand in an attribute


def test_every_sentence_can_be_extracted() -> None:
    """A call with anything but a literal would leave its sentence out of the catalogues."""
    scripts = [*(translations.ROOT / "frontend" / "static").rglob("*.js")]
    modules = [
        *translations.ROOT.glob("labeling/**/*.py"),
        *translations.ROOT.glob("training/**/*.py"),
    ]
    faults = []
    for path in [*scripts, *modules]:
        if path.name != "translate.js":
            faults += [f"{path.name}: {call}" for call in UNREADABLE.findall(path.read_text())]
    assert faults == []


def test_arabic_counts_in_six_forms() -> None:
    for domain in translations.DOMAINS:
        catalogue = translations.read("ar", domain)
        rule = re.sub(r";$", "", catalogue.plural_expr)
        for form, numbers in ARABIC_FORMS.items():
            assert [_plural_form(rule, number) for number in numbers] == [form] * len(numbers)


def test_english_stands_in_for_what_is_not_translated_and_keeps_its_direction() -> None:
    arabic = Catalog(locale="ar")
    arabic.add("Go on.")
    arabic.add(("%(count)s label", "%(count)s labels"), ("", "ملصق") + ("",) * 4)
    arabic.add("Submit", "إرسال")
    compiled = GNUTranslations(io.BytesIO(translations.compiled(arabic, "ar")))
    assert compiled.gettext("Go on.") == "\u2066Go on.\u2069"
    assert compiled.ngettext("%(count)s label", "%(count)s labels", 1).startswith("\u2066")
    assert compiled.gettext("Submit") == "إرسال"
    german = Catalog(locale="de")
    german.add("Go on.")
    assert b"Go on." not in translations.compiled(german, "de")


def _key(message: Message) -> tuple[str | None, object]:
    return message.context, message.id


def _ids(message: Message) -> tuple[str, ...]:
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def _counts_little(catalogue: Catalog, form: int) -> bool:
    """Return whether a plural form counts none, one or two things alone."""
    return form < (3 if catalogue.num_plurals == 6 else catalogue.num_plurals - 1)


def _without_count(names: list[str]) -> list[str]:
    return [name for name in names if name != "%(count)s"]


def _tags(text: str) -> list[str]:
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(f"{tag} {sorted(attrs)}")  # type: ignore[method-assign]
    parser.handle_endtag = lambda tag: tags.append(f"/{tag}")  # type: ignore[method-assign]
    parser.feed(text)
    return sorted(tags)


def _plural_form(rule: str, number: int) -> int:
    form: int = c2py(rule)(number)
    return form

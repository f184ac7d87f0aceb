"""The names of concepts: what may be one, and that each names one concept of its project."""

import unicodedata
from collections.abc import Iterable, Mapping

from labeling import languages
from labeling.captions import has_controls
from labeling.english import with_article
from labeling.models import Concept, Project
from labeling.models.projects import name_key

NAME_LENGTH, PHRASE_LENGTH, DEFINITION_LENGTH = 80, 100, 500
ALIASES_MAX = 100
PHRASES_MAX = 40  # languages beside the project's own


class ConceptError(ValueError):
    """A concept cannot be made or changed like this; the message says why and what to do."""


class Conflict(ConceptError):
    """It does not fit what is there: a name is taken, answers exist, or a concept was merged."""


def clean(name: str, *, what: str = "name", longest: int = NAME_LENGTH) -> str:
    """Return a name in NFC with single spaces. Raises ConceptError."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if has_controls(name):
        raise ConceptError(f"The {what} holds control characters: write plain words.")
    if not name_key(name):
        raise ConceptError(f"The {what} is empty: write what is seen, like “bicycle”.")
    if len(name) > longest:
        raise ConceptError(f"The {what} has {len(name)} characters; {longest} are the limit.")
    return name


def clean_phrase(phrase: str, *, name: str, language: str) -> str:
    """Return a phrase; where it is empty, the default one. Raises ConceptError."""
    if not phrase.strip():
        return default_phrase(name, language)
    return clean(phrase, what="phrase", longest=PHRASE_LENGTH)


def clean_phrases(phrases: Mapping[str, str], *, language: str) -> dict[str, str]:
    """Return phrases by language tag, without empty ones. Raises ConceptError.

    language: the project's, in which the phrase is the concept's own.
    """
    cleaned: dict[str, str] = {}
    for given, phrase in phrases.items():
        if not phrase.strip():
            continue
        try:
            tag = languages.clean(given)
        except languages.LanguageError as error:
            raise ConceptError(str(error)) from None
        if tag == language:
            raise ConceptError(f"{tag} is the project's own language: change the phrase itself.")
        if tag in cleaned:
            raise ConceptError(f"There are two phrases for {tag}: leave one.")
        cleaned[tag] = clean(phrase, what=f"phrase for {tag}", longest=PHRASE_LENGTH)
    if len(cleaned) > PHRASES_MAX:
        raise ConceptError(f"{len(cleaned)} languages are too many; {PHRASES_MAX} are the limit.")
    return cleaned


def clean_definition(definition: str) -> str:
    """Return a definition with single spaces; it may be empty. Raises ConceptError."""
    if not definition.strip():
        return ""
    return clean(definition, what="definition", longest=DEFINITION_LENGTH)


def clean_aliases(aliases: Iterable[str], *, name: str) -> list[str]:
    """Return each alias once, without the name itself. Raises ConceptError."""
    by_key = {name_key(name): name}
    for alias in aliases:
        if alias.strip():
            plain = clean(alias, what="alias")
            by_key.setdefault(name_key(plain), plain)
    if len(by_key) > ALIASES_MAX + 1:
        raise ConceptError(f"{len(by_key) - 1} aliases are too many; {ALIASES_MAX} are the limit.")
    return list(by_key.values())[1:]


def default_phrase(name: str, language: str) -> str:
    """Return what a concept is called until somebody writes its phrase.

    language: the project's; in English the name gets its article, in others it stands alone.
    """
    return with_article(name) if languages.primary(language) == "en" else name


def by_key(project: Project) -> dict[str, Concept]:
    """Return the project's concepts by the keys of their names and aliases.

    The names of concepts that were merged are aliases of those that took them over.
    """
    concepts = project.concepts.filter(merged_into=None)
    return {key: concept for concept in concepts for key in concept.keys}


def check_free(project: Project, names: Iterable[str], *, of: Concept | None = None) -> None:
    """Check that no other concept of the project has one of these names. Raises Conflict.

    of: the concept whose names they are to be, if it exists.
    """
    owners = by_key(project)
    for name in names:
        owner = owners.get(name_key(name))
        if owner is not None and owner != of:
            raise Conflict(taken(name, owner))


def taken(name: str, owner: Concept) -> str:
    """Say which concept has the name, and how."""
    if owner.key == name_key(name):
        return f"“{name}” is taken: there is a concept “{owner}” already."
    if any(name_key(name) == merged.key for merged in owner.merged.all()):
        return f"“{name}” is taken: it was merged into “{owner}”, and is an alias of it."
    return f"“{name}” is taken: it is an alias of “{owner}”."

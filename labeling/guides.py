"""What annotators are shown of a concept: its phrase in their language, definition, examples.

A challenge needs the phrase, and whether there is a guide; both are kept in the cache, so that they
cost it no query.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from django.core.cache import cache
from django.db import transaction

from labeling import languages
from labeling.models import Concept, ConceptExample

SECONDS = 60  # for which a concept's summary is kept


class Summary(NamedTuple):
    """What a challenge says of a concept."""

    slug: str  # of its project
    language: str  # of its project
    phrase: str
    phrases: dict[str, str]  # by language
    version: str  # changes with definition and examples; empty: there is neither

    def phrase_for(self, wanted: Sequence[str]) -> tuple[str, str]:
        """Return (phrase, its language) for a reader who wants these languages."""
        language = languages.choose(wanted, self.phrases, default=self.language)
        return self.phrases.get(language, self.phrase), language


@dataclass(frozen=True)
class Guide:
    """A concept as it is explained to annotators."""

    concept: Concept
    phrase: str
    language: str  # of the phrase; definition and notes are in the project's
    examples: list[ConceptExample]

    @property
    def direction(self) -> str:
        """In which the phrase is written: "ltr" or "rtl"."""
        return languages.direction(self.language)


def summary(concept: int) -> Summary:
    """Return the summary of a concept by its id, up to `SECONDS` old.

    Raises Concept.DoesNotExist.
    """
    kept = cache.get(_key(concept))
    if kept is None:
        kept = tuple(_summarize(Concept.objects.select_related("project").get(pk=concept)))
        cache.set(_key(concept), kept, SECONDS)
    return Summary(*kept)


def forget(concept: Concept) -> None:
    """Summarize a concept again, once the transaction that has changed it is committed."""
    transaction.on_commit(partial(cache.delete, _key(concept.pk)), robust=True)


def of(concept: Concept, wanted: Sequence[str]) -> Guide:
    """Return a concept's guide for a reader who wants these languages, the clear examples first."""
    phrase, language = _summarize(concept).phrase_for(wanted)
    return Guide(concept, phrase, language, examples(concept))


def examples(concept: Concept) -> list[ConceptExample]:
    """Return a concept's examples: yes, no, hard ones, each in the order in which it was picked."""
    order = list(ConceptExample.Kind)
    rows = concept.examples.select_related("tile__image").order_by("pk")
    return sorted(rows, key=lambda example: order.index(ConceptExample.Kind(example.kind)))


def version(concept: Concept) -> str:
    """Return what changes with a concept's definition and examples, as they are now."""
    return _summarize(concept).version


def _summarize(concept: Concept) -> Summary:
    examples = list(concept.examples.order_by("pk").values_list("tile", "kind", "note"))
    content = repr((concept.definition, examples)) if concept.definition or examples else ""
    return Summary(
        slug=concept.project.slug,
        language=concept.project.language,
        phrase=concept.phrase,
        phrases=dict(concept.phrases.values_list("language", "phrase")),
        version=hashlib.sha256(content.encode()).hexdigest()[:12] if content else "",
    )


def _key(concept: int) -> str:
    return f"guide-summary:{concept}"

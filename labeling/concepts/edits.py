"""Create and change concepts; each change is in one transaction, one at a time in a project."""

from collections.abc import Collection, Iterable, Mapping
from functools import partial

from django.contrib.admin.models import ADDITION
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from labeling import audit, guides, pools, predictions
from labeling.concepts import names, statements
from labeling.concepts.names import Conflict
from labeling.images import visible
from labeling.models import Concept, ConceptPhrase, Event, Project
from labeling.models.projects import name_key

DEFAULT_PREVALENCE = 0.1  # where no keyword names a concept
LEAST, MOST = 0.01, 0.99  # prevalence of a new concept


def create(
    *,
    project: Project,
    name: str,
    phrase: str = "",
    definition: str = "",
    aliases: Iterable[str] = (),
    phrases: Mapping[str, str] | None = None,
    active: bool = True,
    value: float = 1.0,
    by: AbstractBaseUser | None = None,
) -> Concept:
    """Create a concept, and have it asked about at once.

    phrase: in the project's language; where it is empty the name, in English with its article.
    phrases: in other languages, by their tags. by: None where an import does so. Its
    prevalence is the share of pictures that imports say show it. The statements of up to `AT_ONCE`
    pictures are taken over here; where there are more, `unfinished_from` is set and a worker does
    the rest. Raises ConceptError.
    """
    name = names.clean(name)
    concept = Concept(
        project=project,
        name=name,
        phrase=names.clean_phrase(phrase, name=name, language=project.language),
        definition=names.clean_definition(definition),
        aliases=names.clean_aliases(aliases, name=name),
        active=active,
        value=value,
        unfinished_from=0,
    )
    translations = names.clean_phrases(phrases or {}, language=project.language)
    with transaction.atomic():
        lock(project)
        names.check_free(project, [concept.name, *concept.aliases])
        concept.prevalence = _prevalence(concept, pictures_count(project))
        concept.save()
        _set_phrases(concept, translations)
        audit.record(
            project=project,
            kind=Event.Kind.CONCEPT,
            message=f"Added the concept “{concept}”.",
            by=by,
            row=concept,
            action=ADDITION,
        )
    ask_at_once(concept)
    return concept


def create_missing(
    project: Project,
    phrases: Mapping[str, str],
    *,
    named: Mapping[str, int] | None = None,
    pictures: int = 0,
) -> list[Concept]:
    """Create the named concepts that the project lacks; return them.

    phrases: by name; empty ones become the name with its article. named: by key, how many of so
    many `pictures` to come are named so; their prevalence is the share of all pictures, those that
    are there among them. What the keywords of these state is still to be taken over. Raises
    ConceptError.
    """
    with transaction.atomic():
        lock(project)
        existing = set(names.by_key(project))
        missing: dict[str, Concept] = {}
        for name, phrase in phrases.items():
            key = name_key(name)
            if key not in existing | missing.keys():
                missing[key] = unsaved(project, name, phrase=phrase)
        set_prevalences(missing.values(), named=named, pictures=pictures)
        created = Concept.objects.bulk_create(missing.values())
        pools.forget_priorities(project)
    return created


def edit(
    *,
    concept: Concept,
    name: str | None = None,
    phrase: str | None = None,
    definition: str | None = None,
    aliases: Iterable[str] | None = None,
    phrases: Mapping[str, str] | None = None,
    active: bool | None = None,
    value: float | None = None,
    keep_name: bool = True,
    version: int | None = None,
    by: AbstractBaseUser | None = None,
) -> Concept:
    """Change what is given of a concept; return it as it is stored now.

    name: the old one becomes an alias if `keep_name`; a phrase that was the default follows it.
    phrase: what the model predicted by the old one is cleared. aliases, phrases: replace all; what
    keywords state by new aliases is taken over as for a new concept; what they stated by those
    that are gone is taken back. active: whether it is asked about; its answers and pending
    challenges are kept. version: the `Concept.version` that the changes were made to; where
    somebody has changed it since, nothing is saved. Raises ConceptError, and Conflict of it.
    """
    with transaction.atomic():
        lock(concept.project)
        stored = Concept.objects.select_for_update(no_key=True).filter(pk=concept.pk).first()
        if stored is None:
            raise Conflict(f"“{concept}” was deleted meanwhile: nothing was changed.")
        stored.project = concept.project
        _check_current(stored, version)
        before = _Before(stored)
        _rename(stored, name, phrase, aliases, keep_name=keep_name)
        if definition is not None:
            stored.definition = names.clean_definition(definition)
        if phrases is not None:
            language = stored.project.language
            _set_phrases(stored, names.clean_phrases(phrases, language=language))
        stored.active = stored.active if active is None else active
        stored.value = stored.value if value is None else value
        if stored.keys - before.keys:
            stored.unfinished_from = 0
        if changes := before.changes(stored):
            stored.version += 1
            _record_edit(stored, changes, by)
        stored.save()
        if gone := before.keys - stored.keys:
            statements.take_back(stored, before.concept, gone)
        guides.forget(stored)
    ask_at_once(stored)
    return stored


class _Before:
    """A concept as it was before an edit."""

    FIELDS = "name", "phrase", "definition", "aliases", "active", "value"

    def __init__(self, concept: Concept) -> None:
        self.concept = Concept(
            pk=concept.pk, **{name: getattr(concept, name) for name in self.FIELDS}
        )
        self.keys = self.concept.keys
        self._phrases = _phrases(concept)

    def changes(self, concept: Concept) -> list[str]:
        """Return the names of the fields that are not as they were."""
        changed = [
            name for name in self.FIELDS if getattr(concept, name) != getattr(self.concept, name)
        ]
        return changed + (["phrases"] if _phrases(concept) != self._phrases else [])


def _check_current(stored: Concept, version: int | None) -> None:
    """Check that a locked concept may be changed, from this version on. Raises Conflict."""
    if stored.merged_into is not None:
        survivor = stored.merged_into
        raise Conflict(f"“{stored}” was merged into “{survivor}”: change that one.")
    if version is not None and version != stored.version:
        raise Conflict(
            f"Somebody else has changed “{stored}” meanwhile, so yours were not saved: look at "
            "what it is now, and change it again where you still want to."
        )


def _record_edit(concept: Concept, changes: list[str], by: AbstractBaseUser | None) -> None:
    message = f"Changed the concept “{concept}”: {', '.join(changes)}."
    if changes == ["active"]:
        message = f"Switched the concept “{concept}” {'on' if concept.active else 'off'}."
    audit.record(
        project=concept.project, kind=Event.Kind.CONCEPT, message=message, by=by, row=concept
    )


def _phrases(concept: Concept) -> dict[str, str]:
    return dict(concept.phrases.values_list("language", "phrase"))


def _set_phrases(concept: Concept, phrases: Mapping[str, str]) -> None:
    """Let a concept have these phrases in other languages, and no others."""
    concept.phrases.exclude(language__in=phrases).delete()
    ConceptPhrase.objects.bulk_create(
        [
            ConceptPhrase(concept=concept, language=language, phrase=phrase)
            for language, phrase in phrases.items()
        ],
        update_conflicts=True,
        unique_fields=["concept", "language"],
        update_fields=["phrase"],
    )


def follow_language(*, project: Project, former: str, by: AbstractBaseUser | None = None) -> int:
    """Let concepts be asked in the language that is the project's own now; return how many are.

    A phrase in that language takes the place of the concept's own, which stays as the one in the
    former language. Concepts without one keep their phrase.
    """
    phrases = ConceptPhrase.objects.filter(
        concept__project=project, concept__merged_into=None, language=project.language
    )
    rows = list(phrases.select_related("concept"))
    for row in rows:
        others = _phrases(row.concept) | {former: row.concept.phrase}
        del others[project.language]
        row.concept.project = project
        edit(concept=row.concept, phrase=row.phrase, phrases=others, by=by)
    return len(rows)


def validate(
    *,
    project: Project,
    name: str,
    phrase: str,
    aliases: Iterable[str],
    definition: str = "",
    phrases: Mapping[str, str] | None = None,
    of: Concept | None = None,
) -> None:
    """Check a concept's texts before they are saved. Raises ConceptError.

    of: the concept that they are to be of, where it exists.
    """
    checked = Concept(name=names.clean(name))
    names.clean_phrase(phrase, name=checked.name, language=project.language)
    names.clean_definition(definition)
    names.clean_phrases(phrases or {}, language=project.language)
    checked.aliases = names.clean_aliases(aliases, name=checked.name)
    names.check_free(project, [checked.name, *checked.aliases], of=of)
    if of is not None:
        _check_merged(of, checked.keys)


def ask_at_once(concept: Concept) -> None:
    """Take over statements; once that is committed, fill the pools and forget priorities."""
    pools.forget_priorities(concept.project)
    if concept.unfinished_from is not None:
        statements.take_over(concept, limit=statements.AT_ONCE)
    if concept.active:  # where this fails, a worker fills them: it is logged
        transaction.on_commit(partial(pools.prepare, concept), robust=True)


def lock(project: Project) -> None:
    """Let nobody else change the concepts of a project before the transaction ends."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def unsaved(project: Project, name: str, *, phrase: str) -> Concept:
    """Return a concept that is still to be saved and finished, and given a prevalence.

    Raises ConceptError.
    """
    plain = names.clean(name)
    return Concept(
        project=project,
        name=plain,
        phrase=names.clean_phrase(phrase, name=plain, language=project.language),
        unfinished_from=0,
    )


def set_prevalences(
    concepts: Collection[Concept], *, named: Mapping[str, int] | None = None, pictures: int = 0
) -> None:
    """Give unsaved concepts of one project, of one key each, the prevalence that imports state.

    named: by key, how many of so many `pictures` to come are named so.
    """
    if not concepts:
        return
    project = next(iter(concepts)).project
    pictures += pictures_count(project)
    stated = statements.count_by_key(project, {concept.key for concept in concepts})
    for concept in concepts:
        count = (named or {}).get(concept.key, 0) + stated[concept.key]
        concept.prevalence = _share(count, pictures)


def _prevalence(concept: Concept, pictures: int) -> float:
    """Return the share of so many pictures that imports say show it; the default where none."""
    named = statements.naming(concept.project, concept.keys).filter(visible())
    return _share(named.count(), pictures)


def _share(named: int, pictures: int) -> float:
    return _within(named / pictures) if named else DEFAULT_PREVALENCE


def restate_prevalence(concept: Concept) -> None:
    """Give a concept the prevalence that a new one would have; its priors follow."""
    with transaction.atomic():
        lock(concept.project)
        prevalence = _prevalence(concept, pictures_count(concept.project))
        changed = Concept.objects.filter(pk=concept.pk).exclude(prevalence=prevalence)
        changed.update(prevalence=prevalence, priors_stale=True)


def _within(share: float) -> float:
    return min(max(share, LEAST), MOST)


def pictures_count(project: Project) -> int:
    """Return how many pictures of a project are there for people and not generated."""
    return project.images.filter(visible(), generated=False).count()


def _rename(
    concept: Concept,
    name: str | None,
    phrase: str | None,
    aliases: Iterable[str] | None,
    *,
    keep_name: bool,
) -> None:
    """Set name, phrase and aliases of a locked concept. Raises ConceptError."""
    old = Concept(name=concept.name, phrase=concept.phrase)
    concept.name = old.name if name is None else names.clean(name)
    kept = list(concept.aliases if aliases is None else aliases)
    if keep_name:
        kept.append(old.name)
    concept.aliases = names.clean_aliases(kept, name=concept.name)
    names.check_free(concept.project, [concept.name, *concept.aliases], of=concept)
    _check_merged(concept, concept.keys)
    language = concept.project.language
    if phrase is None and old.phrase == names.default_phrase(old.name, language):
        phrase = ""
    if phrase is not None:
        concept.phrase = names.clean_phrase(phrase, name=concept.name, language=language)
    if concept.phrase != old.phrase:
        forget_predictions(concept)


def _check_merged(concept: Concept, keys: set[str]) -> None:
    """Check that the names of what was merged into a concept are among its names."""
    for merged in concept.merged.all():
        if merged.key not in keys:
            raise Conflict(f"“{merged}” was merged into it, and stays an alias.")


def forget_predictions(concept: Concept) -> None:
    """Clear the predictions of a locked concept, to be saved; a worker predicts it again."""
    file = str(concept.predictions.name or "")
    concept.predictions, concept.priors_stale = "", True
    transaction.on_commit(lambda: predictions.delete(file))

"""Create and change concepts; each change is in one transaction, one at a time in a project."""

from collections.abc import Iterable, Mapping
from functools import partial

from django.db import transaction

from labeling import pools, predictions
from labeling.concepts import names, statements
from labeling.concepts.names import Conflict
from labeling.models import Concept, Project
from labeling.models.projects import name_key

DEFAULT_PREVALENCE = 0.1  # where no keyword names a concept
LEAST, MOST = 0.01, 0.99  # prevalence of a new concept


def create(
    *,
    project: Project,
    name: str,
    phrase: str = "",
    aliases: Iterable[str] = (),
    active: bool = True,
    value: float = 1.0,
) -> Concept:
    """Create a concept, and have it asked about at once.

    phrase: the name with its article where it is empty. Its prevalence is the share of pictures
    that imports say show it. The statements of up to `AT_ONCE` pictures are taken over here; where
    there are more, `unfinished_from` is set and a worker does the rest. Raises ConceptError.
    """
    name = names.clean(name)
    concept = Concept(
        project=project,
        name=name,
        phrase=names.clean_phrase(phrase, name=name),
        aliases=names.clean_aliases(aliases, name=name),
        active=active,
        value=value,
        unfinished_from=0,
    )
    with transaction.atomic():
        lock(project)
        names.check_free(project, [concept.name, *concept.aliases])
        concept.prevalence = _prevalence(concept, _pictures(project))
        concept.save()
    ask_at_once(concept)
    return concept


def create_missing(
    project: Project, shares: Mapping[str, float], phrases: Mapping[str, str]
) -> int:
    """Create the named concepts that the project lacks; return their number.

    shares: by name, the share of all pictures, which becomes the prevalence; without one it is as
    that of `create`. phrases: by name.
    What the keywords of earlier pictures state is still to be taken over. Raises ConceptError.
    """
    with transaction.atomic():
        lock(project)
        pictures = _pictures(project)
        existing = set(names.by_key(project))
        missing: dict[str, Concept] = {}
        for name in [*phrases, *shares]:
            if name_key(name) not in existing | missing.keys():
                missing[name_key(name)] = _missing(project, name, shares, phrases, pictures)
        Concept.objects.bulk_create(missing.values())
        pools.forget_priorities(project)
    return len(missing)


def edit(
    *,
    concept: Concept,
    name: str | None = None,
    phrase: str | None = None,
    aliases: Iterable[str] | None = None,
    active: bool | None = None,
    value: float | None = None,
    keep_name: bool = True,
) -> Concept:
    """Change what is given of a concept; return it as it is stored now.

    name: the old one becomes an alias if `keep_name`; a phrase that was the default follows it.
    phrase: what the model predicted by the old one is cleared. aliases: replace all; what keywords
    state by new ones is taken over as for a new concept; what they stated by those that are gone
    is taken back.
    active: whether it is asked about; its answers and pending challenges are kept. Raises
    ConceptError.
    """
    with transaction.atomic():
        lock(concept.project)
        stored = Concept.objects.select_for_update(no_key=True).get(pk=concept.pk)
        stored.project = concept.project
        if stored.merged_into is not None:
            survivor = stored.merged_into
            raise Conflict(f"“{stored}” was merged into “{survivor}”: change that one.")
        earlier = Concept(pk=stored.pk, name=stored.name, aliases=stored.aliases)
        before = earlier.keys
        _rename(stored, name, phrase, aliases, keep_name=keep_name)
        stored.active = stored.active if active is None else active
        stored.value = stored.value if value is None else value
        if stored.keys - before:
            stored.unfinished_from = 0
        stored.save()
        if gone := before - stored.keys:
            statements.take_back(stored, earlier, gone)
    ask_at_once(stored)
    return stored


def validate(
    *, project: Project, name: str, phrase: str, aliases: Iterable[str], of: Concept | None = None
) -> None:
    """Check names before they are saved. Raises ConceptError.

    of: the concept that they are to be of, where it exists.
    """
    checked = Concept(name=names.clean(name))
    names.clean_phrase(phrase, name=checked.name)
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


def _missing(
    project: Project,
    name: str,
    shares: Mapping[str, float],
    phrases: Mapping[str, str],
    pictures: int,
) -> Concept:
    plain = names.clean(name)
    concept = Concept(
        project=project,
        name=plain,
        phrase=names.clean_phrase(phrases.get(name, ""), name=plain),
        unfinished_from=0,
    )
    share = shares.get(name)
    concept.prevalence = _prevalence(concept, pictures) if share is None else _within(share)
    return concept


def _prevalence(concept: Concept, pictures: int) -> float:
    """Return the share of so many pictures that imports say show it; the default where none."""
    named = statements.naming(concept.project, concept.keys).count()
    if not named:
        return DEFAULT_PREVALENCE
    return _within(named / pictures)


def _within(share: float) -> float:
    return min(max(share, LEAST), MOST)


def _pictures(project: Project) -> int:
    return project.images.filter(generated=False).count()


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
    if phrase is None and old.phrase == names.with_article(old.name):
        phrase = ""
    if phrase is not None:
        concept.phrase = names.clean_phrase(phrase, name=concept.name)
    if concept.phrase != old.phrase:
        forget_predictions(concept)


def _check_merged(concept: Concept, keys: set[str]) -> None:
    """Check that the names of what was merged into a concept are among its names."""
    for merged in concept.merged.all():
        if merged.key not in keys:
            raise Conflict(f"“{merged}” was merged into it, and stays an alias.")


def forget_predictions(concept: Concept) -> None:
    """Clear the predictions of a locked concept, to be saved; a worker predicts it anew."""
    file = str(concept.predictions.name or "")
    concept.predictions, concept.priors_stale = "", True
    transaction.on_commit(lambda: predictions.delete(file))

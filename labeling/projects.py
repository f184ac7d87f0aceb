"""A project's life: create it, edit its settings, publish, archive, reopen and delete it.

One way for pages, the API, commands and the admin. A new project is a draft, which its members
alone see; nobody is asked before it is published.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from django.contrib.admin.models import ADDITION
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.text import slugify

from labeling import audit, captions, concepts, folder_deletions, languages
from labeling.enqueue import enqueue_on_commit
from labeling.images import visible
from labeling.models import Concept, Event, Image, Import, Membership, Project, Role
from labeling.models.projects import RESERVED_SLUGS
from labeling.tasks import fill_due_pools

State = Project.State

SLUG_LENGTH = 60
# Latin letters that are no letter with a mark, which Django's slugs would leave out.
_UNDIVIDED = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
ENDED = (  # imports of which nothing more comes
    *(Import.State.DONE, Import.State.FAILED, Import.State.CANCELLED, Import.State.UNDONE),
)
EDITABLE = (
    "name",
    "description",
    "attribution",
    "instructions",
    "language",
    "private",
    "practice_questions",
    "settle_at",
    "answers_min",
    "answers_cap",
    "answer_cost",
    "random_share",
    "import_confidence",
    "retrain_after",
)

LABELS: Mapping[str, str] = {  # of settings, as the page and the history name them
    "attribution": "Where the pictures come from",
    "private": "Only those who were invited may take part",
    "settle_at": "A label is certain from",
    "answers_min": "Answers that a label needs",
    "answers_cap": "Answers after which a question is given up",
    "answer_cost": "What an answer must bring",
    "random_share": "Share asked at random",
    "import_confidence": "Trust in imported keywords",
    "retrain_after": "New labels before the model is trained again",
}


class Audience(StrEnum):
    """Who is to answer, as a project's creator says it."""

    ME = "me"
    TEAM = "team"
    PUBLIC = "public"


_OF_AUDIENCE: Mapping[Audience, Mapping[str, Any]] = {
    Audience.ME: {"private": True, "answers_min": 1},
    Audience.TEAM: {"private": True, "answers_min": 2},
    Audience.PUBLIC: {"private": False, "answers_min": 2},
}
_IN_WORDS = {
    str(State.DRAFT): "a draft",
    str(State.OPEN): "open already",
    str(State.ARCHIVED): "archived",
}


class ProjectError(ValueError):
    """A project cannot be made or changed like this; the message says why and what to do."""


class Invalid(ProjectError):
    """Values are not valid: `errors` holds sentences by field."""

    def __init__(self, errors: Mapping[str, Collection[str]]) -> None:
        self.errors = {field: list(sentences) for field, sentences in errors.items()}
        super().__init__(
            " ".join(f"{name}: {' '.join(texts)}" for name, texts in self.errors.items())
        )


class Conflict(ProjectError):
    """The project is not as the caller believes it to be; `stored` is how it is now."""

    def __init__(self, message: str, stored: Project) -> None:
        self.stored = stored
        super().__init__(message)


class NothingToAsk(ProjectError):
    """A project cannot be published, since nobody could be asked anything."""


def create(
    *,
    by: AbstractBaseUser | None,
    name: str,
    slug: str = "",
    description: str = "",
    language: str = "en",
    audience: Audience = Audience.TEAM,
) -> Project:
    """Create a draft and make `by` its owner; without a user, as from a command, it has none.

    slug: made from the name where it is empty. Raises Invalid.
    """
    project = Project(
        name=" ".join(name.split()),
        slug=slug,
        description=description.strip(),
        language=language,
        **_OF_AUDIENCE[audience],
    )
    return add(project=project, by=by)


def add(*, project: Project, by: AbstractBaseUser | None) -> Project:
    """Store a project that is new as a draft, and make `by` its owner. Raises Invalid.

    A slug is made from the name where it has none.
    """
    project.state = State.DRAFT
    _validate(project, exclude=[] if project.slug else ["slug"])
    with transaction.atomic():
        if project.slug:
            _insert(project)
        else:
            _insert_under_any_slug(project)
        if by is not None:
            Membership.objects.create(project=project, user_id=by.pk, role=Role.OWNER)
        _record(project, by, f"Created the project “{project}” as a draft.", action=ADDITION)
    return project


def edit(
    *, project: Project, by: AbstractBaseUser | None, version: int | None, **changes: Any
) -> Project:
    """Change settings of a project, by field; return it as it is stored now.

    version: that of the project as the editor saw it; None: whatever it is. Raises Conflict where
    somebody else saved meanwhile, and Invalid; then nothing is changed.
    """
    if unknown := changes.keys() - set(EDITABLE):
        raise Invalid({field: ["This cannot be changed here."] for field in sorted(unknown)})
    with transaction.atomic():
        stored = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if version is not None and stored.version != version:
            raise Conflict(
                "Somebody else changed these settings meanwhile: nothing was saved.", stored
            )
        former = stored.language
        changed = [name for name, value in changes.items() if getattr(stored, name) != value]
        for name in changed:
            setattr(stored, name, changes[name])
        if changed:
            _validate(stored, exclude={field.name for field in stored._meta.fields} - set(changed))
            stored.version += 1
            stored.save(update_fields=[*changed, "version"])
            _record(stored, by, f"Changed {_listed(changed)}.")
        if stored.language != former:
            concepts.follow_language(project=stored, former=former, by=by)
    return stored


def publish(*, project: Project, by: AbstractBaseUser | None) -> Project:
    """Open a draft: its questions are asked from now on. Raises NothingToAsk and Conflict."""
    if refusal := nothing_to_ask(project):
        raise NothingToAsk(refusal)
    message = "Published the project" + (" for those who are invited." if project.private else ".")
    _move(project, by, State.DRAFT, State.OPEN, message, published_at=timezone.now())
    enqueue_on_commit(fill_due_pools)
    return project


def unpublish(*, project: Project, by: AbstractBaseUser | None) -> Project:
    """Make an open project a draft again; nothing that was answered is lost. Raises Conflict."""
    message = "Took the project back to a draft."
    return _move(project, by, State.OPEN, State.DRAFT, message, published_at=None)


def archive(*, project: Project, by: AbstractBaseUser | None) -> Project:
    """Close a project, open or a draft: it asks nothing and keeps everything. Raises Conflict."""
    state = State.DRAFT if project.state == State.DRAFT else State.OPEN
    return _move(project, by, state, State.ARCHIVED, "Archived the project.")


def reopen(*, project: Project, by: AbstractBaseUser | None) -> Project:
    """Make an archived project what it was before; a draft where nothing is left to ask.

    Raises Conflict.
    """
    if project.published_at is None or nothing_to_ask(project):
        message = "Reopened the project as a draft."
        return _move(project, by, State.ARCHIVED, State.DRAFT, message, published_at=None)
    _move(project, by, State.ARCHIVED, State.OPEN, "Reopened the project.")
    enqueue_on_commit(fill_due_pools)
    return project


def delete(project: Project) -> None:
    """Delete a project that holds no pictures and into which none are on their way.

    Whoever is about to add something to it waits, and is told that it is gone. Raises Conflict.
    """
    with transaction.atomic():
        imports = Import.objects.filter(project=project).order_by("pk")
        list(imports.select_for_update().values_list("pk"))  # until a batch of theirs is stored
        stored = Project.objects.select_for_update().filter(pk=project.pk).first()
        if stored is None:
            raise Conflict("The project is gone already.", project)
        if refusal := why_not_deleted(stored):
            raise Conflict(refusal, stored)
        folder_deletions.schedule(folder_deletions.of_project(stored))
        stored.delete()


def why_not_deleted(project: Project) -> str:
    """Say in a sentence why a project cannot be deleted; empty where it can."""
    if project.images.exists():
        return "The project has pictures, and answers are never lost: archive it instead."
    if project.imports.exclude(state__in=ENDED).exists():
        return "Pictures are on their way into the project: cancel the import first."
    return ""


def nothing_to_ask(project: Project) -> str:
    """Say in a sentence why nobody can be asked anything; empty where somebody can."""
    if not _pictures(project.pk).exists():
        return "There are no pictures yet: add some first."
    if not _asked_concepts(project.pk).exists():
        return "No concept is asked about yet: choose what people should look for."
    return ""


def with_questions(projects: QuerySet[Project]) -> QuerySet[Project]:
    """Return those of the projects that have something to ask about: pictures and concepts."""
    pk = OuterRef("pk")
    return projects.filter(Exists(_pictures(pk)), Exists(_asked_concepts(pk)))


def _pictures(project: int | OuterRef) -> QuerySet[Image]:
    return Image.objects.filter(visible(), project=project, generated=False)


def _asked_concepts(project: int | OuterRef) -> QuerySet[Concept]:
    return Concept.objects.filter(project=project, active=True, merged_into=None)


def _validate(project: Project, exclude: Collection[str]) -> None:
    """Check the fields that are not excluded, and that thresholds fit each other."""
    errors: dict[str, list[str]] = {}
    try:
        project.clean_fields(exclude=set(exclude))
        project.clean()
    except ValidationError as error:
        errors = error.message_dict
    if "name" not in exclude and (sentence := _fault_of_name(project.name)):
        errors["name"] = [sentence]
    if "language" not in exclude:
        try:
            project.language = languages.clean(project.language)
        except languages.LanguageError as error:
            errors["language"] = [str(error)]
    if errors:
        raise Invalid(errors)


def _fault_of_name(name: str) -> str:
    if not name.strip():
        return "Give the project a name."
    if captions.has_controls(name):
        return "The name holds control characters: write plain words."
    return ""


def _insert(project: Project) -> None:
    try:
        with transaction.atomic():
            project.save(force_insert=True)
    except IntegrityError:
        raise Invalid({"slug": ["Another project has this address: choose another."]}) from None


def _insert_under_any_slug(project: Project) -> None:
    """Insert a project under the first slug made from its name that nobody has."""
    for slug in _slugs(project.name):
        project.slug = slug
        try:
            with transaction.atomic():
                project.save(force_insert=True)
        except IntegrityError:  # somebody else took it just now
            continue
        return


def _slugs(name: str) -> Iterator[str]:
    """Yield slugs for a name that are free: bicycles, bicycles-2 and so on.

    A name in another script than Latin gives project, project-2 and so on.
    """
    base = (
        slugify(name.casefold().translate(_UNDIVIDED))[: SLUG_LENGTH - 8].strip("-_") or "project"
    )
    taken = set(Project.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    taken |= RESERVED_SLUGS
    number = 1
    while True:
        slug = base if number == 1 else f"{base}-{number}"
        if slug not in taken:
            yield slug
        number += 1


def _move(
    project: Project,
    by: AbstractBaseUser | None,
    source: str,
    target: str,
    message: str,
    **changes: Any,
) -> Project:
    """Claim the step from one state to another, which only the first who tries gets."""
    with transaction.atomic():
        rows = Project.objects.filter(pk=project.pk, state=source)
        moved = rows.update(state=target, **changes)
        stored = Project.objects.get(pk=project.pk)
        if not moved:
            raise Conflict(
                f"The project is {_IN_WORDS[stored.state]}: nothing was changed.", stored
            )
        project.state, project.published_at = stored.state, stored.published_at
        _record(project, by, message)
    return project


def _record(project: Project, by: AbstractBaseUser | None, message: str, **options: Any) -> None:
    audit.record(
        project=project, kind=Event.Kind.PROJECT, message=message, by=by, row=project, **options
    )


def _listed(fields: Iterable[str]) -> str:
    """Return fields by their labels on the page, as in “Name”, “Language” and “Share …”."""
    *rest, last = (
        f"“{LABELS.get(field, field.replace('_', ' ').capitalize())}”" for field in fields
    )
    return f"{', '.join(rest)} and {last}" if rest else last

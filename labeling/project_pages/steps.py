"""The first three steps of the loop: pictures, questions, labels."""

from collections.abc import Iterator

from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import pluralize
from django.urls import reverse

from labeling import comments, numbers, project_stats, projects
from labeling.access import Capability
from labeling.activity import Activity
from labeling.models import Import, Project
from labeling.project_pages.loop import Action, Step, Urgency, register

GOLD_SESSION = 20  # pictures of one session of marking
_RUNNING = (
    *(Import.State.FETCHING, Import.State.READING),
    *(Import.State.IMPORTING, Import.State.UNDOING),
)


def pictures(project: Project) -> Step:
    """Return the step at which pictures come in."""
    progress, days = project_stats.progress(project), project_stats.activity(project).pictures
    newest = project.imports.first()
    coming = newest is not None and newest.state in _RUNNING
    empty = progress.images == 0 and not coming
    add = Action(
        "Add pictures",
        address("project-pictures", project),
        Capability.MANAGE,
        Urgency.NEEDED if empty else Urgency.OPTIONAL,
        "Everything begins with pictures: drop a folder, files or an archive.",
    )
    return Step(
        name="pictures",
        title="Pictures",
        number=progress.images,
        unit=f"picture{pluralize(progress.images)}",
        url=add.url,
        trend=this_week(days),
        days=days,
        state=_import_state(newest),
        actions=(*_import_actions(project, newest), add),
    )


def questions(project: Project) -> Step:
    """Return the step at which people are asked."""
    progress, days = project_stats.progress(project), project_stats.activity(project).answers
    asked = project.concepts.filter(active=True, merged_into=None).count()
    answers = Activity.this_week(days)
    return Step(
        name="questions",
        title="Questions",
        number=progress.open,
        unit=f"open question{pluralize(progress.open)}",
        url=address("project-concepts", project),
        trend=f"{intcomma(answers)} answer{pluralize(answers)} this week" if answers else "",
        days=days,
        state=_asked(project, asked),
        actions=tuple(_asking_actions(project, asked)),
    )


def labels(project: Project) -> Step:
    """Return the step at which answers become labels."""
    progress, days = project_stats.progress(project), project_stats.activity(project).labels
    flagged = comments.open_flags(project).count()
    return Step(
        name="labels",
        title="Labels",
        number=progress.settled,
        unit=f"certain label{pluralize(progress.settled)}",
        url=address("project-labels", project),
        trend=this_week(days),
        days=days,
        state=f"{intcomma(progress.gold)} gold, by which annotators are measured."
        if progress.gold
        else "No gold yet: nobody knows how reliable the answers are.",
        actions=tuple(_review_actions(project, progress.gold, progress.ambiguous, flagged)),
    )


def address(name: str, project: Project, *more: int) -> str:
    """Return the address of a page of a project."""
    return reverse(name, args=[project.slug, *more])


def this_week(days: list[int]) -> str:
    """Return "+44 this week", or nothing where nothing came."""
    count = Activity.this_week(days)
    return f"+{intcomma(count)} this week" if count else ""


def _import_state(newest: Import | None) -> str:
    """Say what the newest import waits for, where it does."""
    if newest is None:
        return ""
    if newest.state == Import.State.CHOOSING:
        return f"“{newest}” waits for you to choose its concepts."
    if newest.state in _RUNNING:
        return f"“{newest}” is coming in."
    if newest.state == Import.State.FAILED:
        return f"“{newest}” failed."
    return ""


def _import_actions(project: Project, newest: Import | None) -> list[Action]:
    if newest is None or newest.state != Import.State.CHOOSING:
        return []
    return [
        Action(
            "Go on with the import",
            address("project-import", project, newest.pk),
            Capability.MANAGE,
            Urgency.NEEDED,
            f"“{newest}” has been read: tick what people should be asked about.",
        )
    ]


def _asked(project: Project, concepts: int) -> str:
    if project.state == Project.State.ARCHIVED:
        return "Archived: nobody is asked any more."
    if not concepts:
        return "No concept yet: nobody is asked what the pictures show."
    about = numbers.count(concepts, "concept")
    if project.state == Project.State.DRAFT:
        its = "concept" if concepts == 1 else about
        return f"A draft: nobody is asked about its {its} yet."
    return f"{about}, asked of {'those who were invited' if project.private else 'everybody'}."


def _asking_actions(project: Project, concepts: int) -> list[Action]:
    choose = Action(
        "Concepts" if concepts else "Choose concepts",
        address("project-concepts", project),
        Capability.MANAGE,
        Urgency.OPTIONAL if concepts else Urgency.NEEDED,
        "Say what people should look for in the pictures.",
    )
    preview = address("project-preview", project)
    if project.state == Project.State.DRAFT:
        ready = not projects.nothing_to_ask(project)
        publish = Action(
            "Preview and publish",
            preview,
            Capability.MANAGE,
            Urgency.NEEDED if ready else Urgency.OPTIONAL,
            "All is there: see the first question as a visitor sees it, then let it be asked.",
        )
        return [publish, choose] if ready else [choose]
    if project.state == Project.State.ARCHIVED:
        return [Action("Reopen", address("project-settings", project), Capability.MANAGE)]
    answer = Action("Answer", reverse("take_part", args=[project.slug]), Capability.ANNOTATE)
    return [answer, choose, Action("Preview", preview, Capability.VIEW)]


def _gold_actions(project: Project, gold_count: int) -> Iterator[Action]:
    """Yield the session of marking, as long as a concept wants gold; at first it matters most."""
    missing = project_stats.gold_missing(project)
    if missing:
        yield Action(
            f"Mark {min(missing, GOLD_SESSION)} gold",
            address("project-gold", project),
            Capability.REVIEW,
            Urgency.WAITING if gold_count < GOLD_SESSION else Urgency.OPTIONAL,
            "What you know for sure shows how far everybody else can be believed: two minutes.",
        )


def _review_actions(
    project: Project, gold_count: int, ambiguous: int, flagged: int
) -> list[Action]:
    actions = list(_gold_actions(project, gold_count))
    if ambiguous:
        actions.append(
            Action(
                f"{intcomma(ambiguous)} to decide",
                f"{address('project-labels', project)}?state=ambiguous",
                Capability.REVIEW,
                Urgency.WAITING,
                "People disagree about these: your word settles them.",
            )
        )
    if flagged:
        actions.append(
            Action(
                f"{intcomma(flagged)} flagged",
                address("project-flags", project),
                Capability.REVIEW,
                Urgency.WAITING,
                "Somebody says that something is wrong with these.",
            )
        )
    return actions


register(10, pictures)
register(20, questions)
register(30, labels)

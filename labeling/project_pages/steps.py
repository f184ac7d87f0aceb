"""The first three steps of the loop: pictures, questions, labels."""

from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import pluralize
from django.urls import NoReverseMatch, reverse

from labeling import project_stats, projects
from labeling.access import Capability
from labeling.activity import Activity
from labeling.models import Comment, Import, Project
from labeling.project_pages.loop import Action, Step, Urgency, register

GOLD_TO_START = 20  # known answers by which annotators can be told apart
_RUNNING = (Import.State.READING, Import.State.IMPORTING, Import.State.UNDOING)


def pictures(project: Project) -> Step:
    """Return the step at which pictures come in."""
    progress, days = project_stats.progress(project), project_stats.activity(project).pictures
    empty = progress.images == 0
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
        state=_imports(project),
        actions=(add,),
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
    flagged = Comment.objects.filter(
        project=project, resolved_at=None, kind__in=Comment.FLAGS
    ).count()
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
        actions=tuple(
            _review_actions(project, progress.gold, progress.ambiguous, flagged, progress.images)
        ),
    )


def address(name: str, project: Project) -> str:
    """Return the address of a page of a project."""
    try:
        return reverse(name, args=[project.slug])
    except NoReverseMatch:
        return project.get_absolute_url()


def this_week(days: list[int]) -> str:
    """Return "+44 this week", or nothing where nothing came."""
    count = Activity.this_week(days)
    return f"+{intcomma(count)} this week" if count else ""


def _imports(project: Project) -> str:
    """Say what the newest import waits for, where it does."""
    newest = project.imports.first()
    if newest is None:
        return ""
    if newest.state == Import.State.CHOOSING:
        return f"“{newest}” waits for you to choose its concepts."
    if newest.state in _RUNNING:
        return f"“{newest}” is coming in."
    if newest.state == Import.State.FAILED:
        return f"“{newest}” failed."
    return ""


def _asked(project: Project, concepts: int) -> str:
    if project.state == Project.State.ARCHIVED:
        return "Archived: nobody is asked any more."
    if not concepts:
        return "No concept yet: nobody is asked what the pictures show."
    about = f"{intcomma(concepts)} concept{pluralize(concepts)}"
    if project.state == Project.State.DRAFT:
        return f"A draft: nobody is asked about its {about} yet."
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
    return [choose, Action("Preview", preview, Capability.VIEW)]


def _review_actions(
    project: Project, gold: int, ambiguous: int, flagged: int, pictures: int
) -> list[Action]:
    actions = []
    if gold < GOLD_TO_START and pictures:
        actions.append(
            Action(
                f"Mark {GOLD_TO_START} gold",
                address("project-gold", project),
                Capability.REVIEW,
                Urgency.WAITING,
                "Answers that you know show how far everybody else's can be believed: two minutes.",
            )
        )
    if ambiguous:
        actions.append(
            Action(
                f"{intcomma(ambiguous)} to decide",
                address("project-labels", project),
                Capability.REVIEW,
                Urgency.WAITING,
                "People disagree about these: your word settles them.",
            )
        )
    if flagged:
        actions.append(
            Action(
                f"{intcomma(flagged)} flagged",
                address("project-labels", project),
                Capability.REVIEW,
                Urgency.WAITING,
                "Somebody says that something is wrong with these.",
            )
        )
    return actions


register(10, pictures)
register(20, questions)
register(30, labels)

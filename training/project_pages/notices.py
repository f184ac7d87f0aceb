"""What waits in a project because of its runs and models, shown beside what labelling shows."""

from collections.abc import Iterable

from labeling import notices
from labeling.access import Capability
from labeling.models import Project
from labeling.notices import Notice
from labeling.project_pages import history
from labeling.project_pages.history import ObjectPage
from training import prediction_shares, zero_shot
from training.models import Model, Run
from training.prediction_shares import Prediction


@notices.register
def failed_runs(project: Project) -> Iterable[Notice]:
    """Tell of the newest run of each recipe where it failed."""
    newest = project.runs.order_by("recipe", "-pk").distinct("recipe")
    for run in newest:
        if run.state == Run.State.FAILED:
            text = f"Run {run.pk} ({run.recipe}) failed"
            yield Notice(text, Capability.TRAIN, "project-run", row=run.pk)


@notices.register
def models_to_compare(project: Project) -> Iterable[Notice]:
    """Tell of the newest model of each recipe where nobody has compared it yet."""
    newest = project.models.order_by("recipe", "-pk").distinct("recipe")
    for model in newest:
        if model.reviewed_at is None and not model.current:
            text = f"Model {model.pk} ({model.recipe}) waits to be compared"
            yield Notice(text, Capability.TRAIN, "project-model", row=model.pk)


@notices.register
def unpredicted(project: Project) -> Iterable[Notice]:
    """Tell why nothing is predicted before the first answers, or how far that is."""
    if reason := zero_shot.failure(project):
        text = f"Pictures are not predicted before a first CLIP is trained: {reason}"
        yield Notice(text, Capability.TRAIN, "project-models")
    elif looked := prediction_shares.progress(Prediction(project, None)):
        text = f"Pictures are being predicted: {looked[0]:,} of {looked[1]:,} tiles were looked at"
        yield Notice(text, Capability.TRAIN, "project-models")


history.register(ObjectPage(Run, "project-run"))
history.register(ObjectPage(Model, "project-model"))

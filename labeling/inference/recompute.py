"""Recompute every posterior and accuracy of a project from all its answers."""

from labeling import quality
from labeling.inference import lease, model_prior, posteriors, prevalence
from labeling.models import Project


def run(*, project: Project) -> int | None:
    """Recompute a project from all its answers; return how many questions changed.

    Return None where another process is recomputing it. Answers and decisions that arrive in the
    meantime wait for one batch at most, and none is lost.
    """
    with lease.at_work(project) as work:
        if work is None:
            return None
        newest, complete = lease.newest()
        prevalence.update(work=work)
        model_prior.refresh(work=work)
        changed, leave_one_out = posteriors.believe(work, newest=newest)
        work.beat(changed=changed)
        quality.take(project=project, leave_one_out=leave_one_out)
        if complete:
            Project.objects.filter(pk=project.pk).update(aggregated_to=newest)
    return changed

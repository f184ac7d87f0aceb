"""Recompute every posterior and accuracy of a project from all its answers."""

from labeling import lease, quality
from labeling.inference import (
    caption_agreement,
    caption_trust,
    exclusions,
    model_prior,
    posteriors,
    prevalence,
    priors,
    schedule,
    shares,
)
from labeling.inference.shares import OnShared
from labeling.models import Project


def run(*, project: Project, on_shared: OnShared | None = None) -> int | None:
    """Recompute a project from all its answers; return how many questions changed.

    on_shared: wakes another worker where many questions are to be written (`shares.write`). Return
    None where another process is recomputing it, or where another recomputation was requested
    before all was written: what is left is its. Answers and decisions that arrive in the
    meantime wait for one batch at most, and none is lost.
    """
    with schedule.claim(project) as recomputation:
        if recomputation is None:
            return None
        newest, complete = schedule.newest_answer()
        with lease.kept(recomputation):
            prevalence.update(recomputation)
            model_prior.refresh(recomputation)
            everything = exclusions.begin(recomputation)
            try:
                changed, leave_one_out, moved = posteriors.update(
                    recomputation, newest=newest, on_shared=on_shared
                )
            except shares.Superseded:
                return None
            priors.update_stale(project, recomputation.renew)  # of what nobody has answered
            changed += exclusions.update(recomputation, moved, everything=everything)
            changed += caption_trust.update(recomputation)
            caption_agreement.fit(recomputation)
            recomputation.renew(changed=changed)
            quality.measure(project=project, leave_one_out=leave_one_out)
        if complete:
            Project.objects.filter(pk=project.pk).update(aggregated_to=newest)
    return changed

"""Addresses below /projects/<slug>/."""

from training.project_pages import compare, model, models, notices, run, snapshots, steps, train

__all__ = ["notices", "steps", "urlpatterns"]

urlpatterns = [
    *models.urlpatterns,
    *train.urlpatterns,
    *run.urlpatterns,
    *model.urlpatterns,
    *compare.urlpatterns,
    *snapshots.urlpatterns,
]

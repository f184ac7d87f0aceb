"""Addresses below /projects/<slug>/."""

from training.project_pages import compare, model, models, run, steps, train

__all__ = ["steps", "urlpatterns"]

urlpatterns = [
    *models.urlpatterns,
    *train.urlpatterns,
    *run.urlpatterns,
    *model.urlpatterns,
    *compare.urlpatterns,
]

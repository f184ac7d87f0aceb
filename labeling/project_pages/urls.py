"""Addresses below /projects/<slug>/."""

from labeling.project_pages import (
    agreement,
    gold,
    image_labels,
    labels,
    overview,
    question,
    tile_pictures,
)

urlpatterns = [
    *overview.urlpatterns,
    *labels.urlpatterns,
    *question.urlpatterns,
    *image_labels.urlpatterns,
    *agreement.urlpatterns,
    *gold.urlpatterns,
    *tile_pictures.urlpatterns,
]

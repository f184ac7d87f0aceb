"""Addresses below /projects/<slug>/."""

from labeling.project_pages import (
    agreement,
    annotators,
    concept,
    concepts,
    flags,
    gold,
    history,
    image_labels,
    instructions,
    labels,
    overview,
    people,
    preview,
    question,
    settings,
    tile_pictures,
)

urlpatterns = [
    *overview.urlpatterns,
    *preview.urlpatterns,
    *settings.urlpatterns,
    *labels.urlpatterns,
    *question.urlpatterns,
    *image_labels.urlpatterns,
    *agreement.urlpatterns,
    *concepts.urlpatterns,
    *concept.urlpatterns,
    *instructions.urlpatterns,
    *gold.urlpatterns,
    *people.urlpatterns,
    *history.urlpatterns,
    *annotators.urlpatterns,
    *flags.urlpatterns,
    *tile_pictures.urlpatterns,
]

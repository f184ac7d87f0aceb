"""Addresses below /projects/<slug>/."""

from labeling.project_pages import overview, tile_pictures

urlpatterns = [*overview.urlpatterns, *tile_pictures.urlpatterns]

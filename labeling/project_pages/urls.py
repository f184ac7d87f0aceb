"""Addresses below /projects/<slug>/."""

from labeling.project_pages import overview

urlpatterns = [*overview.urlpatterns]

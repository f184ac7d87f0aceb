"""Addresses at /projects/ that are of no project yet."""

from labeling.project_pages import new_project, project_list

urlpatterns = [*project_list.urlpatterns, *new_project.urlpatterns]

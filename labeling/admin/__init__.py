"""The admin of the labelling app, with pages of its own for reviewers."""

from django.contrib import admin

from labeling.accounts.forms import AdminSignInForm
from labeling.admin import annotators, answers, concepts, images, projects, questions, snapshots

__all__ = ["annotators", "answers", "concepts", "images", "projects", "questions", "snapshots"]

admin.site.login_form = AdminSignInForm
admin.site.site_header = admin.site.site_title = "Tessera"

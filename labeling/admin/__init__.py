"""The admin of the labelling app, with pages of its own for reviewers."""

from django.contrib import admin

from labeling.accounts.forms import AdminSignInForm
from labeling.admin import (
    accounts,
    annotators,
    answers,
    concepts,
    images,
    imports,
    members,
    projects,
    questions,
    removals,
    snapshots,
    social,
    withdrawals,
)

__all__ = [
    "accounts",
    "annotators",
    "answers",
    "concepts",
    "images",
    "imports",
    "members",
    "projects",
    "questions",
    "removals",
    "snapshots",
    "social",
    "withdrawals",
]

admin.site.login_form = AdminSignInForm

"""Composition root: every address."""

from django.contrib import admin
from django.urls import include, path

from config import language
from labeling.api import errors, reference
from labeling.api.document import SchemaView

urlpatterns = [
    path("", include("labeling.views")),
    path("", include("labeling.captcha.urls")),
    path("", include("labeling.own_pages")),
    path("", include("labeling.accounts.views")),
    path("", include("labeling.project_pages.invitation")),
    path("", include("training.views")),
    path("projects/", include("labeling.project_pages.all_urls")),
    path("projects/<slug:slug>/", include("labeling.project_pages.urls")),
    path("projects/<slug:slug>/", include("training.project_pages.urls")),
    path("language/", include("django.conf.urls.i18n")),
    path(
        "language/<str:language>/<str:version>/catalog.js",
        language.catalogue,
        name="javascript-catalog",
    ),
    path("admin/", admin.site.urls),
    path("api/", reference.page, name="api-reference"),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/v1/", include("labeling.api.urls")),
    path("api/v1/", include("training.api.urls")),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.page_not_found
handler500 = errors.server_error

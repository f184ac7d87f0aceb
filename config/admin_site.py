"""Django's admin, its index in the order of the loop rather than of the alphabet."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.apps import AdminConfig
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

LOOP = {
    "Projects": ("Project", "Membership", "Invitation", "Event"),
    "Pictures": ("Import", "Image", "Tile", "RemovedImage", "RemovedAnswer"),
    "Questions": ("Concept", "Question", "Challenge", "Comment"),
    "Labels": ("Answer", "Annotator", "Snapshot"),
    "Models": ("Run", "Model", "Promotion"),
    "Drawings": ("Generation",),
}
OTHERS = "Accounts"


class AdminSite(admin.AdminSite):
    """The site that `django.contrib.admin.site` stands for."""

    site_header = site_title = "Tessera"
    index_title = "Everything that is stored"

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Sign in, and merge what this browser's visitor answered, as the site's own form does."""
        from django.contrib.auth.views import redirect_to_login  # once the apps are loaded

        from labeling.accounts import arrivals  # once the apps are loaded

        if settings.OIDC_ISSUER and not request.user.is_authenticated and request.method == "GET":
            return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
        response = super().login(request, extra_context)
        if request.method == "POST" and request.user.is_authenticated:
            arrivals.keep_answers(request, response, request.user)
        return response

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """Return the models by the steps of the loop; those of one app as Django lists them."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        models = {model["object_name"]: model for app in apps for model in app["models"]}
        steps = {
            step: [models.pop(name) for name in names if name in models]
            for step, names in LOOP.items()
        }
        steps[OTHERS] = list(models.values())
        return [_section(step, its_models) for step, its_models in steps.items() if its_models]


class LoopAdminConfig(AdminConfig):
    """Django's admin app with this site as its default."""

    default_site = f"{AdminSite.__module__}.{AdminSite.__qualname__}"


def _section(step: str, models: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a section of the index as Django's templates expect an app."""
    first = next((model["admin_url"] for model in models if model.get("admin_url")), "")
    return {
        "name": step,
        "app_label": step.lower(),
        "app_url": first,
        "has_module_perms": True,
        "models": models,
    }

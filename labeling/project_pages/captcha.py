"""Sites that embed a project's challenges as their CAPTCHA: keys, settings, figures."""

from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from labeling import project_stats
from labeling.access import Capability
from labeling.captcha import intake, limits, sites, verifying
from labeling.captcha.statistics import Period
from labeling.models import Project, Site
from labeling.project_pages import base, captcha_figures, captcha_readiness
from labeling.project_pages.captcha_forms import SecretForm, SiteForm
from labeling.project_pages.captcha_snippets import snippets

SECTION = base.register(base.Section("project-captcha", "CAPTCHA", 65, Capability.MANAGE))
DIALECTS = "reCAPTCHA", "hCaptcha"  # in the order of the keys for tests


@base.page(Capability.MANAGE)
def listing(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the sites of a project; make one by POST."""
    form = SiteForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and project.sites.filter(name=form.cleaned_data["name"]).exists():
        # Also where somebody has loaded the page with the secret again.
        form.add_error("name", "The project has a site of this name: it is listed above.")
    if form.is_valid():
        try:
            site, secret = sites.create(
                project=project, by=cast(User, request.user), **form.cleaned_data
            )
        except sites.SiteError as refusal:
            form.refuse(refusal)
        else:
            return _render_site(request, site, secret=secret)
    rows = list(project.sites.all())
    begun = project_stats.begun_today(project)
    context = {
        "sites": [(site, begun.get(site.pk, 0)) for site in rows],
        "form": form,
        "readiness": captcha_readiness.context(project),
        "test_keys": [
            (dialect, *keys)
            for dialect, keys in zip(DIALECTS, verifying.TEST_KEYS.items(), strict=True)
        ],
    }
    status = 400 if form.is_bound else 200
    return base.render(
        request, project, "project/captcha.html", context, section=SECTION, status=status
    )


@base.page(Capability.MANAGE)
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show one site, its figures and its settings; change these by POST."""
    site = _site(project, pk)
    if request.method != "POST":
        return _render_site(request, site)
    form = SiteForm(request.POST, site=site)
    if form.is_valid():
        try:
            sites.change(site=site, by=cast(User, request.user), **form.cleaned_data)
        except sites.SiteError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, "Saved.")
            return redirect("project-site", project.slug, pk)
    return _render_site(request, site, form=form, status=400)


@require_POST
@base.page(Capability.MANAGE)
def switch(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Switch a site off, or on again."""
    active = request.POST.get("active") == "1"
    sites.change(site=_site(project, pk), by=cast(User, request.user), active=active)
    messages.success(request, "It asks again." if active else "It is switched off.")
    return redirect("project-site", project.slug, pk)


@require_POST
@base.page(Capability.MANAGE)
def rotate_secret(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Give a site another secret, and show it once."""
    site, form = _site(project, pk), SecretForm(request.POST)
    if not form.is_valid():
        return _render_site(request, site, secret_form=form, status=400)
    secret = sites.rotate_secret(site=site, by=cast(User, request.user), overlap=form.overlap)
    return _render_site(request, site, secret=secret)


@require_POST
@base.page(Capability.MANAGE)
def end_old_secrets(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """End at once the secrets that were replaced."""
    sites.revoke_old_secrets(site=_site(project, pk), by=cast(User, request.user))
    messages.success(request, "The newest secret alone is valid.")
    return redirect("project-site", project.slug, pk)


@require_GET
@base.page(Capability.MANAGE)
def privacy(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Show what the site can tell its visitors about what is stored of them, to be printed."""
    context = {
        "site": _site(project, pk),
        "host": request.get_host(),
        "address_days": intake.ADDRESS_KEPT.days,
        "days": intake.KEPT.days,
    }
    return base.render(request, project, "project/captcha_privacy.html", context, section=SECTION)


def _render_site(
    request: HttpRequest,
    site: Site,
    *,
    form: SiteForm | None = None,
    secret_form: SecretForm | None = None,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    period = Period.DAY if request.GET.get("period") == "day" else Period.MONTH
    valid = sites.valid_secrets().filter(site=site)
    context: dict[str, Any] = {
        "site": site,
        "form": form or SiteForm(site=site),
        "secret_form": secret_form or SecretForm(),
        "secret": secret,
        "secrets": valid,
        "old_secrets": valid.filter(expires_at__isnull=False).count(),
        "snippets": snippets(f"{request.scheme}://{request.get_host()}", site.key),
        "readiness": captcha_readiness.context(site.project),
        "level": limits.level(site),
        "is_used_up": project_stats.begun_today(site.project).get(site.pk, 0) >= site.daily_quota,
        "figures": captcha_figures.context(site, period),
    }
    return base.render(
        request, site.project, "project/site.html", context, section=SECTION, status=status
    )


def _site(project: Project, pk: int) -> Site:
    return get_object_or_404(project.sites.select_related("project"), pk=pk)


urlpatterns = [
    path("captcha/", listing, name="project-captcha"),
    path("captcha/<int:pk>/", detail, name="project-site"),
    path("captcha/<int:pk>/switch/", switch, name="project-site-switch"),
    path("captcha/<int:pk>/secret/", rotate_secret, name="project-site-secret"),
    path("captcha/<int:pk>/secret/end-old/", end_old_secrets, name="project-site-old-secrets"),
    path("captcha/<int:pk>/privacy/", privacy, name="project-site-privacy"),
]

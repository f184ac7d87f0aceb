"""Where what happens in a project is sent, and what was sent."""

from typing import cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST

from labeling import tasks, webhooks
from labeling.access import Capability
from labeling.models import Delivery, HookEvent, Project, Webhook
from labeling.project_pages import base
from labeling.project_pages.settings import SECTION

SHOWN = 20  # deliveries of each webhook


class WebhookForm(forms.Form):
    """Ask for an address and what it is told."""

    url = forms.CharField(
        label="Address",
        max_length=500,
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "dir": "ltr"}),
        help_text="It begins with https://. A test is sent to it at once.",
    )
    events = forms.MultipleChoiceField(
        label="What it is told",
        choices=HookEvent.choices,
        initial=list(HookEvent.values),
        widget=forms.CheckboxSelectMultiple,
    )


@base.page(Capability.MANAGE)
def listing(request: HttpRequest, project: Project) -> HttpResponse:
    """Show a project's webhooks with what was sent last; make one by POST."""
    form = WebhookForm(request.POST or None, label_suffix="")
    if request.method != "POST":
        return _render(request, project, form)
    if form.is_valid():
        try:
            hook = webhooks.create(
                project=project, by=cast(User, request.user), **form.cleaned_data
            )
        except (webhooks.AddressError, webhooks.HookError) as error:
            form.add_error("url", str(error))
        else:
            webhooks.ping(hook=hook)
            tasks.send_later(hook.pk)
            return _render(request, project, WebhookForm(label_suffix=""), secret=hook.secret)
    return _render(request, project, form, status=400)


@require_POST
@base.page(Capability.MANAGE)
def change(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Switch a webhook off, or on again."""
    active = request.POST.get("active") == "1"
    webhooks.change(hook=_hook(project, pk), by=cast(User, request.user), active=active)
    messages.success(request, "It is told again." if active else "It is told nothing for now.")
    return redirect("project-webhooks", project.slug)


@require_POST
@base.page(Capability.MANAGE)
def replace_secret(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Give a webhook another secret, and show it once."""
    hook = _hook(project, pk)
    secret = webhooks.replace_secret(hook=hook, by=cast(User, request.user))
    return _render(request, project, WebhookForm(label_suffix=""), secret=secret)


@require_POST
@base.page(Capability.MANAGE)
def delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Delete a webhook and its log."""
    webhooks.delete(hook=_hook(project, pk), by=cast(User, request.user))
    messages.success(request, "The webhook is deleted.")
    return redirect("project-webhooks", project.slug)


@require_POST
@base.page(Capability.MANAGE)
def ping(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Send a test."""
    webhooks.ping(hook=_hook(project, pk))
    tasks.send_later(pk)
    messages.success(request, "A test is on its way: look again in a moment.")
    return redirect("project-webhooks", project.slug)


@require_POST
@base.page(Capability.MANAGE)
def resend(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Send something again."""
    delivery = get_object_or_404(Delivery, pk=pk, webhook__project=project)
    webhooks.resend(delivery=delivery)
    tasks.send_later(delivery.webhook_id)
    messages.success(request, "It is sent again: look again in a moment.")
    return redirect("project-webhooks", project.slug)


def _render(
    request: HttpRequest,
    project: Project,
    form: WebhookForm,
    *,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    hooks = [(hook, list(hook.deliveries.all()[:SHOWN])) for hook in project.webhooks.all()]
    context = {
        "hooks": hooks,
        "form": form,
        "secret": secret,
        "now": timezone.now(),
    }
    response = base.render(request, project, "project/webhooks.html", context, section=SECTION)
    response.status_code = status
    return response


def _hook(project: Project, pk: int) -> Webhook:
    return get_object_or_404(project.webhooks.select_related("project"), pk=pk)


urlpatterns = [
    path("webhooks/", listing, name="project-webhooks"),
    path("webhooks/<int:pk>/change/", change, name="project-webhook-change"),
    path("webhooks/<int:pk>/secret/", replace_secret, name="project-webhook-secret"),
    path("webhooks/<int:pk>/delete/", delete, name="project-webhook-delete"),
    path("webhooks/<int:pk>/ping/", ping, name="project-webhook-ping"),
    path("webhooks/deliveries/<int:pk>/resend/", resend, name="project-delivery-resend"),
]

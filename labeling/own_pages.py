"""The pages of one's own answers: see what became of them, withdraw them, and be forgotten."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from labeling import languages, own_answers, visitors, withdrawals
from labeling.addresses import client_address
from labeling.models import Annotator, Challenge, Project
from labeling.numbers import parse_id
from labeling.withdrawals import Withdrawn


@never_cache
@require_safe
def your_answers(request: HttpRequest) -> HttpResponse:
    """List what this browser or account answered, the newest first; `?show=captions` the captions.

    `?project=` keeps to one project, `?before=` goes on where the page before ended.
    """
    annotator = visitors.known(request, request.user)
    if annotator is None:
        return render(request, "your_answers.html", {"totals": None})
    totals = own_answers.totals(annotator)
    project = _project(request, annotator)
    context = {
        "annotator": annotator,
        "totals": totals,
        "chosen": project,
        "shows_captions": request.GET.get("show") == "captions",
    }
    if context["shows_captions"]:
        before = parse_id(request.GET.get("before", ""))
        captions = own_answers.captions(annotator, project=project, before=before or None)
        last = captions[-1].pk if len(captions) == own_answers.PAGE else ""
        context |= {"captions": captions, "before": last}
    else:
        wanted = languages.wanted(request)
        page = _page(annotator, project, request.GET.get("before", ""), wanted)
        context |= {"answers": page.answers, "before": page.before}
    return render(request, "your_answers.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest) -> HttpResponse:
    """Ask whether something is to be withdrawn; withdraw it by POST.

    `answer`, `caption` or `challenge` name what; else it is all, in one `project` or everywhere.
    """
    annotator = visitors.known(request, request.user)
    if annotator is None:
        raise Http404
    chosen = _chosen(request, annotator)
    if request.method != "POST":
        return render(request, "withdraw.html", {"chosen": chosen})
    messages.success(request, _in_words(chosen.withdraw()))
    return redirect("your_answers")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def forget_me(request: HttpRequest) -> HttpResponse:
    """Let a visitor without account be forgotten, with their answers or without them."""
    annotator = visitors.visitor(request)
    if annotator is None or request.user.is_authenticated:
        return redirect("your_answers")
    choice = request.POST.get("answers")
    if request.method != "POST" or choice not in {"withdraw", "leave"}:
        status = HTTPStatus.BAD_REQUEST if request.method == "POST" else HTTPStatus.OK
        context = {"totals": own_answers.totals(annotator), "missing": request.method == "POST"}
        return render(request, "forget_me.html", context, status=status)
    withdrawals.forget(
        annotator=annotator, keep_answers=choice == "leave", address=client_address(request)
    )
    messages.success(request, _("You are forgotten: this browser is a new visitor now."))
    response = redirect("home")
    visitors.forget_device(response)
    return response


@dataclass(frozen=True)
class _Chosen:
    """What is to be withdrawn: which address names it, what it is, and how it is done."""

    name: str  # of the field that names it
    value: str
    question: str  # that the page asks
    withdraw: Callable[[], Withdrawn]


def _chosen(request: HttpRequest, annotator: Annotator) -> _Chosen:
    """Return what a request names, if it is the annotator's own. Raises Http404."""
    fields = request.POST if request.method == "POST" else request.GET
    address = client_address(request)
    if value := fields.get("answer"):
        answer = own_answers.answer(annotator, parse_id(value))
        if answer is None:
            raise Http404
        return _Chosen(
            "answer",
            value,
            _("Withdraw this answer?"),
            lambda: withdrawals.withdraw_answer(answer=answer, address=address),
        )
    if value := fields.get("caption"):
        caption = own_answers.caption(annotator, parse_id(value))
        if caption is None:
            raise Http404
        return _Chosen(
            "caption",
            value,
            _("Withdraw this description?"),
            lambda: withdrawals.withdraw_caption(caption=caption),
        )
    if value := fields.get("challenge"):
        challenge = _challenge(annotator, value)
        return _Chosen(
            "challenge",
            value,
            _("Withdraw all answers to this question?"),
            lambda: withdrawals.withdraw_challenge(challenge=challenge, address=address),
        )
    if project := _project(request, annotator):
        return _Chosen(
            "project",
            project.slug,
            _("Withdraw all that you answered and wrote in %(project)s?")
            % {"project": project.name},
            lambda: withdrawals.withdraw_all(annotator=annotator, project=project, address=address),
        )
    return _Chosen(
        "all",
        "1",
        _("Withdraw all that you ever answered and wrote here?"),
        lambda: withdrawals.withdraw_all(annotator=annotator, address=address),
    )


def _in_words(withdrawn: Withdrawn) -> str:
    """Say how much was withdrawn."""
    if not withdrawn.captions:
        sentence = ngettext(
            "%(count)s answer is withdrawn: it counts for nothing any more.",
            "%(count)s answers are withdrawn: they count for nothing any more.",
            withdrawn.answers,
        )
        return sentence % {"count": withdrawn.answers}
    return _("Withdrawn: %(answers)s answers and %(captions)s descriptions.") % {
        "answers": withdrawn.answers,
        "captions": withdrawn.captions,
    }


def _challenge(annotator: Annotator, value: str) -> Challenge:
    try:
        key = UUID(value)
    except ValueError:
        raise Http404 from None
    challenge = own_answers.challenge(annotator, key)
    if challenge is None:
        raise Http404
    return challenge


def _project(request: HttpRequest, annotator: Annotator) -> Project | None:
    """Return the project that a request keeps to, if any. Raises Http404."""
    fields = request.POST if request.method == "POST" else request.GET
    return own_answers.project_or_404(annotator, fields.get("project"))


def _page(
    annotator: Annotator, project: Project | None, before: str, wanted: Sequence[str]
) -> own_answers.Page:
    try:
        return own_answers.page(annotator, project=project, before=before, wanted=wanted)
    except own_answers.NoSuchPage:
        raise Http404 from None


urlpatterns = [
    path("your-answers/", your_answers, name="your_answers"),
    path("your-answers/withdraw/", withdraw, name="withdraw"),
    path("your-answers/forget-me/", forget_me, name="forget-me"),
]

"""Who may do what: every address and method, by role, in one table.

An address that is new, or a method, has to be added to the table: the tests fail until it is.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from config import urls
from labeling.api import urls as labeling_urls
from labeling.models import Membership, Project
from training.api import urls as training_urls

pytestmark = pytest.mark.django_db

# Capability, methods, names of addresses: a role that has the capability may, nobody else.
PAGES = """
VIEW GET project project-preview project-pictures project-picture project-import
VIEW GET project-import-report project-labels project-question project-image-labels
VIEW GET project-agreement project-concepts project-concept project-gold project-gold-wall
VIEW GET project-parts project-people project-history project-history-csv project-flags
VIEW GET project-tile project-tile-large project-models project-model project-run
VIEW GET project-run-live project-run-log project-run-report project-run-sample project-sample
VIEW GET project-compare project-compare-live project-snapshots project-snapshot
VIEW GET project-snapshot-difference
VIEW POST project-leave
REVIEW GET project-gold-proposals project-gold-session project-gold-parts project-annotators
REVIEW GET project-annotator
REVIEW POST project-labels-decide project-labels-undo project-question-decide
REVIEW POST project-question-comment project-image-decide project-gold-decide
REVIEW POST project-question-gold project-annotator-block project-annotator-unblock
REVIEW POST project-comment-resolve project-skips-resolve
TRAIN GET,POST project-train project-exports
TRAIN GET project-export-download
TRAIN POST project-export-delete
TRAIN GET project-train-outlook
TRAIN POST project-model-promote project-model-demote project-model-undo project-run-cancel
TRAIN POST project-run-resume project-run-delete project-snapshots-freeze
TRAIN POST project-snapshot-reissue project-snapshots-reissue
MANAGE GET,POST project-settings project-instructions project-concepts-merge project-import-undo
MANAGE POST project-publish project-unpublish project-archive project-reopen project-upload
MANAGE POST project-picture-remove project-import-choose project-import-cancel
MANAGE POST project-import-options project-bucket
MANAGE POST project-import-retry project-import-declare project-concepts-add project-concepts-change
MANAGE POST project-concept-example project-concept-delete project-parts-change
MANAGE POST project-concept-exclusion
MANAGE POST project-picture-parts project-invite project-invitation-revoke project-member-role
MANAGE POST project-member-remove project-webhook-change project-webhook-delete
MANAGE POST project-webhook-ping project-delivery-resend
MANAGE GET,POST project-webhooks project-captcha project-site
MANAGE GET project-site-privacy
MANAGE POST project-site-switch project-site-secret project-site-old-secrets
MANAGE POST project-annotator-withdraw
MANAGE POST project-webhook-secret project-answers-send project-import-columns
"""
API = """
VIEW GET questions question agreement quality_reports snapshots snapshot concepts concept images
VIEW GET image imports import import-files import-report comments skips api-gold api-parts
VIEW GET api-examples api-members api-events api-project-preview run model run_outlook
VIEW GET concept-exclusions
VIEW GET run-log run-report model_comparison image-labels tile-picture snapshot-difference
VIEW POST api-leave
REVIEW GET api-answers api-project-annotator api-gold-proposals api-gold-session
REVIEW GET api-project-annotators
REVIEW POST questions question-decide question-reopen decisions decisions-undo comments
REVIEW POST comment-resolve skips-resolve api-gold api-gold-replace api-gold-rectangles
REVIEW POST api-project-annotator-block api-project-annotator-unblock
REVIEW DELETE api-gold
TRAIN GET,POST api-exports
TRAIN GET,DELETE api-export
TRAIN GET api-export-download
VIEW GET api-snapshots-marked
TRAIN POST api-snapshots-reissue
MANAGE POST api-project-annotator-withdraw
TRAIN POST snapshots snapshot-reissue run_cancel run_resume model_promote model_demote
TRAIN POST promotion_undo generation_ask model_comparison
TRAIN DELETE run
MANAGE GET api-invitations api-webhooks api-webhook api-deliveries api-sites api-site
MANAGE GET api-site-statistics
MANAGE POST import-files concepts concepts-add concept-merge api-examples imports import-parts
MANAGE POST import-complete import-options imports-bucket
MANAGE POST import-concepts import-cancel import-retry import-undo image-remove api-parts
MANAGE POST api-invitations api-project-publish api-project-unpublish api-project-archive
MANAGE POST image-parts api-project-reopen api-webhooks api-webhook-ping api-webhook-secret
MANAGE POST api-delivery-resend api-sites api-site-secret api-site-old-secrets
MANAGE PATCH api-project concept api-member api-webhook api-site import
MANAGE DELETE api-webhook api-example concept api-member api-invitation
MANAGE POST api-images-remove api-answers api-gold-file import-columns concept-exclusions
MANAGE DELETE concept-exclusion
STAFF GET annotators annotator
STAFF POST annotator-block annotator-unblock
"""
# Open to anybody, or to whom their own tests say: who takes part, signs in, or draws.
OPEN = """
me me-answers me-answer-picture me-answer-withdraw me-caption-picture me-caption-withdraw
me-challenge-withdraw me-withdraw me-data your_answers withdraw account-delete forget-me
account-email account-email-confirm password_reset password_reset_done password_reset_confirm
password_reset_complete home take_part showcase_picture favicon.ico robots.txt
javascript-catalog set_language login logout set_up sign_up account token token-revoke
openid openid-callback sign-in-link
api-tokens api-token api-reference
invitation draw projects project-new schema challenges challenge-tile challenge-flag
challenge-answer challenge-skip challenge-result api-projects api-project api-concept-guide
api-example-picture api-sitting api-practice api-practice-skip api-practice-answer
api-practice-picture api-invitation-accept runs models promotions model_example generations
generation generation_cancel challenge-undo generation_source_image generation_sample
generation_nearest challenges-ahead offline-worker lineage
captcha-recaptcha recaptcha/enterprise.js captcha-hcaptcha 1/api.js captcha-tessera captcha-frame
captcha-worker captcha-begin captcha-sheet captcha-answer captcha-more-time captcha-verify-recaptcha
captcha-verify-hcaptcha recaptcha/enterprise/siteverify captcha/siteverify
"""
MAY = {
    "VIEW": {"owner", "reviewer", "trainer", "viewer"},
    "REVIEW": {"owner", "reviewer"},
    "TRAIN": {"owner", "trainer"},
    "MANAGE": {"owner"},
    "STAFF": set[str](),
}
MEMBERS = ("owner", "reviewer", "trainer", "annotator", "viewer")
OTHERS = ("member of another project", "signed-in stranger", "visitor", "staff without permission")


class Address(NamedTuple):
    """An address of the product, outside of the admin."""

    name: str
    route: str

    @property
    def is_api(self) -> bool:
        return self.route.startswith("api/")


def addresses(
    patterns: list[URLPattern | URLResolver] | None = None, before: str = ""
) -> Iterator[Address]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield Address(pattern.name or route, route)
        elif not route.startswith("admin/"):
            yield from addresses(pattern.url_patterns, route)


@pytest.fixture
def rows(ids, shapes, alice) -> dict[str, object]:
    """Return what stands for the ids in addresses, by the word before them or their name."""
    from tests.cast import answer
    from training.models import Sample

    Project.objects.filter(pk=shapes.pk).update(private=True)
    question = shapes.questions.filter(kind="concept").first()
    answer(alice, {question.pk: True})
    drawn = Sample.objects.create(generation_id=ids["generation"], file="samples/gone.png")
    words = {f"{name}s": pk for name, pk in ids.items()}
    return (
        words
        | ids
        | {
            "annotator": alice.pk,
            "annotators": alice.pk,
            "pictures": ids["image"],
            "gold": ids["concept"],
            "decisions": ids["batch"],
            "deliveries": ids["delivery"],
            "webhooks": ids["webhook"],
            "captcha": ids["site"],
            "tiles": question.tile_id,
            "samples": drawn.pk,
            "number": 1,
            "other": ids["snapshot"],
            "rank": 1,
            "name": "first.png",
        }
    )


@pytest.fixture
def clients(shapes) -> dict[str, Client]:
    """Return a browser for each kind of person."""
    clients = {}
    for name in (*MEMBERS, *OTHERS):
        clients[name] = Client()
        if name == "visitor":
            continue
        user = User.objects.create_user(f"a {name}", is_staff=name == OTHERS[3])
        clients[name].force_login(user)
        if name in MEMBERS:
            Membership.objects.create(project=shapes, user=user, role=name)
    other = Project.objects.create(slug="other", name="Other", state="open")
    user = User.objects.get(username=f"a {OTHERS[0]}")
    Membership.objects.create(project=other, user=user, role="owner")
    return clients


def path(address: Address, rows: dict[str, object]) -> str:
    """Return the address with the ids of rows: `questions/<int:pk>/` has a question's."""

    def fill(match: re.Match[str]) -> str:
        before, name = match.group(1) or "", match.group(2)
        return f"{before}/{rows[before if name == 'pk' else name]}" if before else str(rows[name])

    route = address.route.replace("<slug:project>", "<slug:slug>")
    return "/" + re.sub(r"(?:([a-z-]+)/)?<\w+:(\w+)>", fill, route)


class Row(NamedTuple):
    """A method of an address, and the capability that it needs."""

    capability: str
    method: str
    name: str


def table(text: str) -> list[Row]:
    return [
        Row(capability, method.lower(), name)
        for capability, methods, *names in (line.split() for line in text.splitlines() if line)
        for method in methods.split(",")
        for name in names
    ]


def status(client: Client, method: str, where: str) -> int:
    """Return a status; 401 where one is led to sign in. Nothing that a request changes is kept."""
    with transaction.atomic():
        response = getattr(client, method)(where, {}, content_type="application/json")
        b"".join(response)  # which closes a file that is sent
        transaction.set_rollback(True)
    signs_in = response.status_code == 302 and response["Location"].startswith("/sign-in/")
    return 401 if signs_in else response.status_code


def refusal(row: Row, person: str) -> set[int]:
    """Return how a person is refused: who may not see a project is not told that there is one."""
    if person == "visitor":
        return {401}
    if row.capability == "STAFF" or person in MAY["VIEW"]:
        return {403}
    return {404}


def test_every_address_is_in_the_table():
    listed = {row.name for row in table(PAGES + API)} | set(OPEN.split())
    assert {address.name for address in addresses()} == listed


def test_every_method_of_the_api_is_in_the_table():
    listed = {(row.name, row.method) for row in table(API)}
    views = {
        pattern.name: pattern.callback.view_class
        for module in (labeling_urls, training_urls)
        for pattern in module.urlpatterns
    }
    stored = {
        (name, method)
        for name, view in views.items()
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(view, method) and name not in OPEN.split()
    }
    assert {(name, method) for name, method in listed if name not in OPEN.split()} == stored


@pytest.fixture
def bare_refusals(monkeypatch) -> None:
    """Answer a refusal by its status alone: what its page shows is tested elsewhere."""
    for code in (403, 404):
        refuse = partial(HttpResponse, status=code)
        monkeypatch.setattr(urls, f"handler{code}", lambda *_, refuse=refuse, **__: refuse())


@pytest.mark.usefixtures("bare_refusals")
@pytest.mark.parametrize("text", [PAGES, API], ids=["pages", "api"])
def test_each_role_may_do_what_the_table_says(rows, clients, text):
    routes = {address.name: address for address in addresses()}
    wrong = []
    for row in table(text):
        where = path(routes[row.name], rows)
        for person, client in clients.items():
            code = status(client, row.method, where)
            if person in MAY[row.capability]:
                right = code not in (401, 403)
            else:
                right = code in refusal(row, person)
            if not right:
                wrong.append((*row, person, code))
    assert not wrong, "\n".join(map(str, wrong))

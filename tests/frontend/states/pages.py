"""The states of the pages around the challenge."""

import re

from django.contrib.auth.models import AnonymousUser, User
from django.core import mail as outbox
from django.shortcuts import render
from django.test import RequestFactory
from django.utils import translation
from playwright.sync_api import expect

from labeling import images, members
from labeling.accounts import mail
from labeling.models import Annotator, Concept, Project
from tests.browser import sign_in
from tests.every_page import ARABIC, LONG_WORD
from tests.frontend.looks import MARK, TEXT_LANGUAGE
from tests.frontend.states.stage import Stage
from tests.pictures import draw

PASSWORD = "correct horse"


def _at(path: str):
    def go(stage: Stage) -> None:
        stage.go(path)

    return go


def _signed_in_at(path: str):
    def go(stage: Stage) -> None:
        stage.sign_in()
        stage.go(path)

    return go


def home_with_drawings(stage: Stage) -> None:
    stage.models.draw()
    stage.go("/")
    expect(stage.page.locator(".drawings img")).to_have_count(3)


def home_without_questions(stage: Stage) -> None:
    stage.project.concepts.update(active=False)
    stage.go("/")
    stage.project.concepts.update(active=True)


def home_without_projects(stage: Stage) -> None:
    Project.objects.update(state="draft")
    stage.go("/")


def home_with_many_projects(stage: Stage) -> None:
    for number, name in enumerate([LONG_WORD, ARABIC, "Birds", "Leaves"]):
        text = f"{MARK} {name}"[:80]
        other = Project.objects.create(
            slug=f"other-{number}",
            name=name,
            state="open",
            language=TEXT_LANGUAGE,
            description=text,
            attribution="https://example.org/ by Ada",
        )
        Concept.objects.create(project=other, name=text, phrase=text)
        picture = draw(shape="circle", colour="red", corner=number)
        images.add(project=other, data=picture, source="circle.png")
    stage.go("/")
    expect(stage.page.locator("article.project")).to_have_count(5)
    Project.objects.filter(slug__startswith="other-").delete()


def nothing_to_ask(stage: Stage) -> None:
    Project.objects.update(state="draft")
    stage.go("/take-part/")


def sign_in_refused(stage: Stage) -> None:
    stage.go("/sign-in/")
    stage.page.locator("#id_username").fill("nobody")
    stage.page.locator("#id_password").fill("nothing")
    stage.page.locator("main form button").click()
    expect(stage.page.locator(".errorlist")).to_be_visible()


def sign_up_refused(stage: Stage) -> None:
    stage.go("/sign-up/")
    stage.page.locator("#id_username").fill(stage.owner.username)
    stage.page.locator("#id_password1").fill("1")
    stage.page.locator("#id_password2").fill("2")
    stage.page.locator("main form button").click()
    expect(stage.page.locator(".errorlist").first).to_be_visible()


def password_reset_form(stage: Stage) -> None:
    stage.owner.email = "ada@example.org"
    stage.owner.save()
    outbox.outbox.clear()
    mail.ask_to_confirm(stage.owner, "ada@example.net", origin=stage.url)
    _follow_mail(stage)


def _follow_mail(stage: Stage) -> None:
    body = str(outbox.outbox[-1].body)
    stage.page.goto(next(word for word in body.split() if word.startswith("http")))


def your_answers(stage: Stage) -> None:
    stage.ask()
    stage.answer("1", "f")
    stage.go("/your-answers/")
    expect(stage.page.locator(".own-answer").first).to_be_visible()


def your_descriptions(stage: Stage) -> None:
    stage.ask("write")
    stage.page.locator("#sentence").fill(LONG_WORD)
    stage.answer("Enter")
    stage.go("/your-answers/?show=captions")
    expect(stage.page.locator(".own-answer").first).to_be_visible()


def withdrawal(stage: Stage) -> None:
    your_answers(stage)
    stage.page.locator(".own-head a").first.click()
    expect(stage.page.locator("main form button.primary, main form button").first).to_be_visible()


def withdrawn(stage: Stage) -> None:
    withdrawal(stage)
    stage.page.locator("main form button").first.click()
    expect(stage.page.locator(".page-messages")).to_be_visible()


def forget_me(stage: Stage) -> None:
    your_answers(stage)
    stage.go("/your-answers/forget-me/")


def _open_deletion(stage: Stage) -> None:
    """Open the page on which somebody who may leave deletes the account."""
    User.objects.filter(username="lee").delete()
    sign_in(stage.page, User.objects.create_user("lee", password=PASSWORD), stage.url)
    stage.go("/account/delete/")


def _delete_account(stage: Stage, password: str) -> None:
    _open_deletion(stage)
    stage.page.locator("[name=answers][value=withdraw]").check()
    stage.page.locator("#id_password").fill(password)
    stage.page.locator("main form .primary").click()


def deletion(stage: Stage) -> None:
    _open_deletion(stage)
    expect(stage.page.locator("#id_password")).to_be_visible()


def deletion_refused(stage: Stage) -> None:
    _delete_account(stage, "wrong")
    expect(stage.page.locator(".errorlist")).to_be_visible()


def deleted(stage: Stage) -> None:
    _delete_account(stage, PASSWORD)
    expect(stage.page.locator(".page-messages")).to_be_visible()


def new_token(stage: Stage) -> None:
    stage.sign_in()
    stage.go("/account/")
    stage.page.locator(".token-form input[name=name]").fill("my script")
    stage.page.locator(".token-form input[type=checkbox]").first.check()
    stage.page.locator(".token-form button").click()
    expect(stage.page.locator("#new-token")).to_be_visible()


def invitation(stage: Stage) -> None:
    _, token = members.invite(project=stage.project, role="viewer", by=stage.owner)
    stage.go(f"/invitations/{token}/")


def invitation_used(stage: Stage) -> None:
    _, token = members.invite(project=stage.project, role="viewer", by=stage.owner)
    user, _ = User.objects.get_or_create(username="wendy")
    members.accept(token=token, user=user, annotator=Annotator.objects.filter(user=user).first())
    stage.go(f"/invitations/{token}/")


def _turned_away(**fields: object):
    def go(stage: Stage) -> None:
        Project.objects.update(**fields)
        stage.go("/take-part/shapes/")

    return go


def form_too_old(stage: Stage) -> None:
    stage.go("/sign-in/")
    stage.page.context.clear_cookies()
    stage.page.locator("#id_username").fill("ada")
    stage.page.locator("#id_password").fill(PASSWORD)
    with stage.page.expect_response(re.compile("/sign-in/")) as response:
        stage.page.locator("main form button").click()
    assert response.value.status == 403


def _error(template: str):
    """Return what shows the page of an error, in the language that the browser asks for."""

    def go(stage: Stage) -> None:
        request = RequestFactory().get("/broken/")
        request.user = AnonymousUser()
        language = stage.page.evaluate("navigator.language").split("-")[0].replace("zh", "zh-hans")
        with translation.override(language):
            body = render(request, template).content
        stage.refuse("**/broken/", status=500, content_type="text/html", body=body)
        stage.go("/broken/")

    return go


STATES = {
    "home": _at("/"),
    "home with drawings": home_with_drawings,
    "home without questions": home_without_questions,
    "home without projects": home_without_projects,
    "home with many projects": home_with_many_projects,
    "nothing to ask": nothing_to_ask,
    "draw": _at("/draw/"),
    "sign in": _at("/sign-in/"),
    "sign in, refused": sign_in_refused,
    "sign up": _at("/sign-up/"),
    "sign up, refused": sign_up_refused,
    "account": _signed_in_at("/account/"),
    "address for mail": _signed_in_at("/account/email/"),
    "a token, made": new_token,
    "delete the account, not yet": _signed_in_at("/account/delete/"),
    "delete the account": deletion,
    "delete the account, refused": deletion_refused,
    "delete the account, done": deleted,
    "confirm an address": password_reset_form,
    "reset the password": _at("/password-reset/"),
    "reset the password, sent": _at("/password-reset/sent/"),
    "reset the password, link gone": _at("/password-reset/x/y-z/"),
    "reset the password, done": _at("/password-reset/done/"),
    "your answers, none": _at("/your-answers/"),
    "your answers": your_answers,
    "your descriptions": your_descriptions,
    "withdraw": withdrawal,
    "withdrawn": withdrawn,
    "forget me": forget_me,
    "an invitation": invitation,
    "an invitation that was used": invitation_used,
    "an invitation that nobody knows": _at("/invitations/unknown/"),
    "turned away from a draft": _turned_away(state="draft"),
    "turned away from what is closed": _turned_away(state="archived"),
    "turned away from what is private": _turned_away(private=True),
    "no such page": _at("/nowhere/"),
    "a form that was open too long": form_too_old,
    "no sense": _error("400.html"),
    "not allowed": _error("403.html"),
    "something went wrong": _error("500.html"),
}

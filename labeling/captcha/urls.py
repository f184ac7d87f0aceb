"""The addresses that sites, their visitors' browsers and their servers know."""

from django.urls import path

from labeling.captcha import verify_views, views

_attempt = "captcha/attempts/<str:name>/"
urlpatterns = [
    path("recaptcha/api.js", views.script, {"dialect": "recaptcha"}, name="captcha-recaptcha"),
    path("recaptcha/enterprise.js", views.script, {"dialect": "recaptcha"}),
    path("1/api.js", views.script, {"dialect": "hcaptcha"}),
    path("captcha/1/api.js", views.script, {"dialect": "hcaptcha"}, name="captcha-hcaptcha"),
    path("captcha/tessera.js", views.script, {"dialect": "tessera"}, name="captcha-tessera"),
    path("captcha/frame", views.frame, name="captcha-frame"),
    path("captcha/work.js", views.worker, name="captcha-worker"),
    path("captcha/attempts/", views.begin, name="captcha-begin"),
    path(f"{_attempt}<int:number>.jpg", views.sheet, name="captcha-sheet"),
    path(f"{_attempt}answers/", views.answer, name="captcha-answer"),
    path(f"{_attempt}more-time/", views.more_time, name="captcha-more-time"),
    path(
        "recaptcha/api/siteverify",
        verify_views.siteverify,
        {"dialect": "recaptcha"},
        name="captcha-verify-recaptcha",
    ),
    path("recaptcha/enterprise/siteverify", verify_views.siteverify, {"dialect": "recaptcha"}),
    path(
        "siteverify",
        verify_views.siteverify,
        {"dialect": "hcaptcha"},
        name="captcha-verify-hcaptcha",
    ),
    path("captcha/siteverify", verify_views.siteverify, {"dialect": "hcaptcha"}),
]

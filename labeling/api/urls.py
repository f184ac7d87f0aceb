"""Addresses below /api/v1/."""

from django.urls import path

from labeling.api import challenges

urlpatterns = [
    path("challenges/", challenges.Ask.as_view(), name="challenge-ask"),
    path(
        "challenges/<str:token>/tiles/<int:number>/",
        challenges.Picture.as_view(),
        name="challenge-tile",
    ),
    path("challenges/<str:token>/answer/", challenges.Answer.as_view(), name="challenge-answer"),
    path("challenges/<str:token>/skip/", challenges.Skip.as_view(), name="challenge-skip"),
]

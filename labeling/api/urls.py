"""Addresses below /api/v1/."""

from django.urls import path

from labeling.api import annotators, challenges, projects, quality, review, snapshots

urlpatterns = [
    path("challenges/", challenges.Ask.as_view(), name="challenge-ask"),
    path(
        "challenges/<str:token>/tiles/<int:number>/",
        challenges.Picture.as_view(),
        name="challenge-tile",
    ),
    path("challenges/<str:token>/answer/", challenges.Answer.as_view(), name="challenge-answer"),
    path("challenges/<str:token>/skip/", challenges.Skip.as_view(), name="challenge-skip"),
    path("projects/", projects.Projects.as_view(), name="projects"),
    path("projects/<slug:slug>/", projects.OneProject.as_view(), name="project"),
    path("projects/<slug:slug>/questions/", review.Questions.as_view(), name="questions"),
    path("projects/<slug:slug>/agreement/", quality.Agreement.as_view(), name="agreement"),
    path(
        "projects/<slug:slug>/quality-reports/",
        quality.QualityReports.as_view(),
        name="quality_reports",
    ),
    path("projects/<slug:slug>/snapshots/", snapshots.Snapshots.as_view(), name="snapshots"),
    path("snapshots/<int:pk>/", snapshots.OneSnapshot.as_view(), name="snapshot"),
    path("questions/<int:pk>/", review.OneQuestion.as_view(), name="question"),
    path("questions/<int:pk>/decide/", review.Decide.as_view(), name="question-decide"),
    path("questions/<int:pk>/reopen/", review.Reopen.as_view(), name="question-reopen"),
    path("annotators/", annotators.Annotators.as_view(), name="annotators"),
    path("annotators/<int:pk>/", annotators.OneAnnotator.as_view(), name="annotator"),
    path("annotators/<int:pk>/block/", annotators.Block.as_view(), name="annotator-block"),
    path("annotators/<int:pk>/unblock/", annotators.Unblock.as_view(), name="annotator-unblock"),
]

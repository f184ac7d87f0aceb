"""Runs, models and generations over HTTP: below /api/v1/."""

from django.urls import path

from training.api import comparisons, files, generations, lineage, models, runs

urlpatterns = [
    path("runs/", runs.RunList.as_view(), name="runs"),
    path("runs/<int:pk>/", runs.RunDetail.as_view(), name="run"),
    path("runs/<int:pk>/log/", files.RunLog.as_view(), name="run-log"),
    path("runs/<int:pk>/report/", files.RunReport.as_view(), name="run-report"),
    path("runs/<int:pk>/cancel/", runs.Cancel.as_view(), name="run_cancel"),
    path("runs/<int:pk>/resume/", runs.Resume.as_view(), name="run_resume"),
    path("projects/<slug:slug>/outlook/", runs.RunOutlook.as_view(), name="run_outlook"),
    path(
        "projects/<slug:slug>/comparison/",
        comparisons.ModelComparison.as_view(),
        name="model_comparison",
    ),
    path("lineage/", lineage.Lineage.as_view(), name="lineage"),
    path("models/", models.ModelList.as_view(), name="models"),
    path("models/<int:pk>/", models.ModelDetail.as_view(), name="model"),
    path("models/<int:pk>/promote/", models.Promote.as_view(), name="model_promote"),
    path("models/<int:pk>/demote/", models.Demote.as_view(), name="model_demote"),
    path("promotions/", models.PromotionList.as_view(), name="promotions"),
    path("promotions/<int:pk>/undo/", models.Undo.as_view(), name="promotion_undo"),
    path(
        "models/<int:pk>/examples/<int:number>/", files.ExampleImage.as_view(), name="model_example"
    ),
    path("generations/", generations.Generations.as_view(), name="generations"),
    path("generations/<uuid:pk>/", generations.GenerationDetail.as_view(), name="generation"),
    path("generations/<uuid:pk>/cancel/", generations.Cancel.as_view(), name="generation_cancel"),
    path(
        "generations/<uuid:pk>/source-image/",
        files.SourceImage.as_view(),
        name="generation_source_image",
    ),
    path("generations/<uuid:pk>/ask/", generations.Ask.as_view(), name="generation_ask"),
    path(
        "generations/<uuid:pk>/samples/<int:number>/",
        files.SampleImage.as_view(),
        name="generation_sample",
    ),
    path(
        "generations/<uuid:pk>/samples/<int:number>/nearest/<int:rank>/",
        files.NearestImage.as_view(),
        name="generation_nearest",
    ),
]

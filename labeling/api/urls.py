"""Addresses below /api/v1/."""

from django.urls import path

from labeling.api import (
    annotators,
    challenges,
    comments,
    concepts,
    decisions,
    gold,
    guides,
    images,
    imports,
    parts,
    practice,
    projects,
    quality,
    review,
    snapshots,
)

urlpatterns = [
    path("challenges/", challenges.IssueChallenge.as_view(), name="challenges"),
    path(
        "challenges/<str:token>/tiles/<int:number>/",
        challenges.TilePicture.as_view(),
        name="challenge-tile",
    ),
    path(
        "challenges/<str:token>/tiles/<int:number>/flag/",
        comments.FlagTile.as_view(),
        name="challenge-flag",
    ),
    path(
        "challenges/<str:token>/answer/",
        challenges.AnswerChallenge.as_view(),
        name="challenge-answer",
    ),
    path("challenges/<str:token>/skip/", challenges.SkipChallenge.as_view(), name="challenge-skip"),
    path("projects/", projects.ProjectList.as_view(), name="api-projects"),
    path("projects/<slug:slug>/", projects.ProjectDetail.as_view(), name="api-project"),
    path(
        "projects/<slug:slug>/publish/",
        projects.PublishProject.as_view(),
        name="api-project-publish",
    ),
    path(
        "projects/<slug:slug>/unpublish/",
        projects.UnpublishProject.as_view(),
        name="api-project-unpublish",
    ),
    path(
        "projects/<slug:slug>/archive/",
        projects.ArchiveProject.as_view(),
        name="api-project-archive",
    ),
    path(
        "projects/<slug:slug>/reopen/",
        projects.ReopenProject.as_view(),
        name="api-project-reopen",
    ),
    path(
        "projects/<slug:slug>/preview/",
        projects.PreviewProject.as_view(),
        name="api-project-preview",
    ),
    path("projects/<slug:slug>/questions/", review.QuestionList.as_view(), name="questions"),
    path("projects/<slug:slug>/decisions/", decisions.DecideMany.as_view(), name="decisions"),
    path(
        "projects/<slug:slug>/decisions/<int:batch>/undo/",
        decisions.UndoDecisions.as_view(),
        name="decisions-undo",
    ),
    path("projects/<slug:slug>/comments/", comments.CommentList.as_view(), name="comments"),
    path("comments/<int:pk>/resolve/", comments.ResolveComment.as_view(), name="comment-resolve"),
    path("projects/<slug:slug>/concepts/", concepts.ConceptList.as_view(), name="concepts"),
    path(
        "projects/<slug:slug>/concepts/list/", concepts.AddConcepts.as_view(), name="concepts-add"
    ),
    path(
        "projects/<slug:slug>/concepts/<int:pk>/guide/",
        guides.ConceptGuide.as_view(),
        name="api-concept-guide",
    ),
    path(
        "projects/<slug:slug>/examples/<int:pk>/picture/",
        guides.ExamplePicture.as_view(),
        name="api-example-picture",
    ),
    path("projects/<slug:slug>/practice/", practice.NextPractice.as_view(), name="api-practice"),
    path(
        "projects/<slug:slug>/practice/skip/",
        practice.SkipPractice.as_view(),
        name="api-practice-skip",
    ),
    path(
        "projects/<slug:slug>/practice/<int:number>/",
        practice.AnswerPractice.as_view(),
        name="api-practice-answer",
    ),
    path(
        "projects/<slug:slug>/practice/<int:number>/picture/",
        practice.PracticePicture.as_view(),
        name="api-practice-picture",
    ),
    path("projects/<slug:slug>/gold/", gold.Gold.as_view(), name="api-gold"),
    path(
        "projects/<slug:slug>/gold/rectangles/",
        parts.Rectangles.as_view(),
        name="api-gold-rectangles",
    ),
    path("projects/<slug:slug>/parts/", parts.Parts.as_view(), name="api-parts"),
    path("projects/<slug:slug>/gold/replace/", gold.ReplaceGold.as_view(), name="api-gold-replace"),
    path("projects/<slug:slug>/agreement/", quality.Agreement.as_view(), name="agreement"),
    path(
        "projects/<slug:slug>/quality-reports/",
        quality.QualityReportList.as_view(),
        name="quality_reports",
    ),
    path("projects/<slug:slug>/snapshots/", snapshots.SnapshotList.as_view(), name="snapshots"),
    path("projects/<slug:slug>/images/", images.ImageList.as_view(), name="images"),
    path("images/<int:pk>/", images.ImageDetail.as_view(), name="image"),
    path("images/<int:pk>/remove/", images.RemoveImage.as_view(), name="image-remove"),
    path("projects/<slug:slug>/imports/", imports.ImportList.as_view(), name="imports"),
    path("imports/<int:pk>/", imports.ImportDetail.as_view(), name="import"),
    path("imports/<int:pk>/files/", imports.ImportFiles.as_view(), name="import-files"),
    path("imports/<int:pk>/parts/", imports.ImportParts.as_view(), name="import-parts"),
    path("imports/<int:pk>/complete/", imports.CompleteImport.as_view(), name="import-complete"),
    path("imports/<int:pk>/concepts/", imports.ChooseConcepts.as_view(), name="import-concepts"),
    path("imports/<int:pk>/cancel/", imports.CancelImport.as_view(), name="import-cancel"),
    path("imports/<int:pk>/retry/", imports.RetryImport.as_view(), name="import-retry"),
    path("imports/<int:pk>/undo/", imports.UndoImport.as_view(), name="import-undo"),
    path("imports/<int:pk>/report/", imports.ImportReport.as_view(), name="import-report"),
    path("snapshots/<int:pk>/", snapshots.SnapshotDetail.as_view(), name="snapshot"),
    path("concepts/<int:pk>/", concepts.ConceptDetail.as_view(), name="concept"),
    path("concepts/<int:pk>/merge/", concepts.MergeConcept.as_view(), name="concept-merge"),
    path("concepts/<int:pk>/examples/", guides.ExampleList.as_view(), name="api-examples"),
    path(
        "concepts/<int:pk>/examples/<int:example>/",
        guides.ExampleDetail.as_view(),
        name="api-example",
    ),
    path(
        "concepts/<int:pk>/gold/proposals/", gold.GoldProposals.as_view(), name="api-gold-proposals"
    ),
    path("concepts/<int:pk>/gold/session/", gold.GoldSession.as_view(), name="api-gold-session"),
    path("questions/<int:pk>/", review.QuestionDetail.as_view(), name="question"),
    path("questions/<int:pk>/decide/", review.DecideQuestion.as_view(), name="question-decide"),
    path("questions/<int:pk>/reopen/", review.ReopenQuestion.as_view(), name="question-reopen"),
    path("annotators/", annotators.AnnotatorList.as_view(), name="annotators"),
    path("annotators/<int:pk>/", annotators.AnnotatorDetail.as_view(), name="annotator"),
    path("annotators/<int:pk>/block/", annotators.BlockAnnotator.as_view(), name="annotator-block"),
    path(
        "annotators/<int:pk>/unblock/",
        annotators.UnblockAnnotator.as_view(),
        name="annotator-unblock",
    ),
]

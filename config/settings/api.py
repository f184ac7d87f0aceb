"""The API and its reference."""

from config.settings.running import PROXIES

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "labeling.api.authentication.BearerAuthentication",  # first: 401 names its scheme
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["labeling.api.throttles.Calls"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["labeling.api.parsers.BoundedJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "labeling.api.pagination.ById",
    "EXCEPTION_HANDLER": "labeling.api.errors.handle",
    "DEFAULT_METADATA_CLASS": "labeling.api.metadata.ViewMetadata",
    "NUM_PROXIES": PROXIES,
    "URL_FORMAT_OVERRIDE": None,  # ?format= is a parameter like others
    "DEFAULT_SCHEMA_CLASS": "labeling.api.schema.Schema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tessera",
    "OAS_VERSION": "3.1.1",
    "VERSION": "1",
    "LICENSE": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    "SERVERS": [{"url": "/"}],
    "COMPONENT_SPLIT_PATCH": False,  # bodies say themselves what may be left out
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "labeling.api.schema.tidy",
    ],
    "ENUM_NAME_OVERRIDES": {
        "CommentKind": "labeling.models.Comment.Kind",
        "FlagKind": "labeling.comments.FLAG_KINDS",
        "ReviewerCommentKind": "labeling.comments.REVIEWER_KINDS",
        "ChallengeKind": "labeling.models.Challenge.Kind",
        "QuestionKind": "labeling.models.Question.Kind",
        "QuestionState": "labeling.models.Question.State",
        "ResultState": "labeling.api.serializers.RESULT_STATES",
        "SnapshotState": "labeling.models.Snapshot.State",
        "ExportState": "labeling.models.Export.State",
        "ImportKind": "labeling.models.Import.Kind",
        "ImportState": "labeling.models.Import.State",
        "JobState": "training.models.Run.State",  # and of generations
        "ExampleKind": "labeling.models.ConceptExample.Kind",
        "GenerationKind": "training.models.Generation.Kind",
    },
}

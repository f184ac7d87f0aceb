"""Every endpoint of the API: what may be done there, and with which permission."""

from typing import NamedTuple

API = "/api/v1/"
PUBLIC = ""  # needs no permission


class Endpoint(NamedTuple):
    """A path below /api/v1/, with one of the names in braces where it has an id."""

    path: str
    get: str | None = None  # the permissions that it needs, separated by spaces; None: not allowed
    post: str | None = None
    patch: str | None = None
    delete: str | None = None
    query: str = ""  # that a GET needs

    @property
    def address(self) -> str:
        """The path, with what a GET needs."""
        return self.path + self.query

    @property
    def methods(self) -> set[str]:
        """The methods that are allowed, besides HEAD and OPTIONS."""
        return {name for name in METHODS if getattr(self, name) is not None}


class Write(NamedTuple):
    """A method that changes something, and the permission that it needs."""

    method: str
    path: str
    permission: str


METHODS = ("get", "post", "patch", "delete")
ENDPOINTS = [
    Endpoint("challenges/", post=PUBLIC),
    Endpoint("challenges/ahead/{slug}/", get=PUBLIC),
    Endpoint("challenges/{token}/tiles/1/", get=PUBLIC),
    Endpoint("challenges/{token}/tiles/1/flag/", post=PUBLIC),
    Endpoint("challenges/{token}/answer/", post=PUBLIC),
    Endpoint("challenges/{token}/skip/", post=PUBLIC),
    Endpoint("challenges/{token}/result/", get=PUBLIC),
    Endpoint("challenges/{token}/undo/", post=PUBLIC),
    Endpoint("me/", get=PUBLIC),
    Endpoint("me/answers/", get=PUBLIC),
    Endpoint("me/answers/1/picture/", get=PUBLIC),
    Endpoint("me/answers/1/withdraw/", post=PUBLIC),
    Endpoint("me/captions/1/picture/", get=PUBLIC),
    Endpoint("me/captions/1/withdraw/", post=PUBLIC),
    Endpoint("me/challenges/00000000-0000-4000-8000-000000000000/withdraw/", post=PUBLIC),
    Endpoint("me/withdraw/", post=PUBLIC),
    Endpoint("me/data/", get=PUBLIC),
    Endpoint("me/tokens/", get=PUBLIC, post=PUBLIC),
    Endpoint("me/tokens/{access}/", delete=PUBLIC),
    Endpoint("projects/", get=PUBLIC, post=PUBLIC),  # of those who may create: `test_projects`
    Endpoint("projects/{slug}/", get=PUBLIC, patch="labeling.change_project"),
    Endpoint("projects/{slug}/publish/", post="labeling.change_project"),
    Endpoint("projects/{slug}/unpublish/", post="labeling.change_project"),
    Endpoint("projects/{slug}/archive/", post="labeling.change_project"),
    Endpoint("projects/{slug}/reopen/", post="labeling.change_project"),
    Endpoint("projects/{slug}/preview/", get="labeling.view_project"),
    Endpoint("projects/{slug}/sitting/", get=PUBLIC),
    Endpoint(
        "projects/{slug}/questions/",
        get="labeling.view_question",
        post="labeling.change_question",
    ),
    Endpoint("projects/{slug}/decisions/", post="labeling.change_question"),
    Endpoint("projects/{slug}/decisions/{batch}/undo/", post="labeling.change_question"),
    Endpoint(
        "projects/{slug}/comments/", get="labeling.view_comment", post="labeling.change_question"
    ),
    Endpoint("projects/{slug}/skips/", get="labeling.view_comment"),
    Endpoint("projects/{slug}/skips/resolve/", post="labeling.change_question"),
    Endpoint("comments/{comment}/resolve/", post="labeling.change_question"),
    Endpoint("projects/{slug}/concepts/", get="labeling.view_concept", post="labeling.add_concept"),
    Endpoint("projects/{slug}/concepts/list/", post="labeling.add_concept"),
    Endpoint("projects/{slug}/concepts/{concept}/guide/", get=PUBLIC),
    Endpoint("projects/{slug}/examples/{example}/picture/", get=PUBLIC),
    Endpoint("projects/{slug}/practice/", get=PUBLIC),
    Endpoint("projects/{slug}/practice/skip/", post=PUBLIC),
    Endpoint("projects/{slug}/practice/1/", post=PUBLIC),
    Endpoint("projects/{slug}/practice/1/picture/", get=PUBLIC),
    Endpoint(
        "projects/{slug}/gold/",
        get="labeling.view_question",
        post="labeling.change_question",
        delete="labeling.change_question",
    ),
    Endpoint("projects/{slug}/gold/rectangles/", post="labeling.change_question"),
    Endpoint("projects/{slug}/gold/file/", post="labeling.change_project"),
    Endpoint(
        "projects/{slug}/answers/", get="labeling.view_answer", post="labeling.change_project"
    ),
    Endpoint("projects/{slug}/parts/", get="labeling.view_image", post="labeling.change_project"),
    Endpoint("projects/{slug}/gold/replace/", post="labeling.change_question"),
    Endpoint("projects/{slug}/agreement/", get="labeling.view_project labeling.view_question"),
    Endpoint(
        "projects/{slug}/quality-reports/", get="labeling.view_project labeling.view_question"
    ),
    Endpoint(
        "projects/{slug}/snapshots/", get="labeling.view_snapshot", post="labeling.add_snapshot"
    ),
    Endpoint("projects/{slug}/images/", get="labeling.view_image"),
    Endpoint("projects/{slug}/images/remove/", post="labeling.change_project"),
    Endpoint("images/{image}/", get="labeling.view_image"),
    Endpoint("images/{image}/labels/", get="labeling.view_image"),
    Endpoint("images/{image}/parts/", post="labeling.change_project"),
    Endpoint("tiles/{tile}/picture/", get="labeling.view_tile"),
    Endpoint("images/{image}/remove/", post="labeling.change_project"),
    Endpoint(
        "projects/{slug}/imports/", get="labeling.view_import", post="labeling.change_project"
    ),
    Endpoint("projects/{slug}/imports/bucket/", post="labeling.change_project"),
    Endpoint("imports/{import}/", get="labeling.view_import", patch="labeling.change_project"),
    Endpoint("imports/{import}/files/", get="labeling.view_import", post="labeling.change_project"),
    Endpoint("imports/{import}/parts/", post="labeling.change_project"),
    Endpoint("imports/{import}/complete/", post="labeling.change_project"),
    Endpoint("imports/{import}/concepts/", post="labeling.change_project"),
    Endpoint("imports/{import}/options/", post="labeling.change_project"),
    Endpoint("imports/{import}/columns/", post="labeling.change_project"),
    Endpoint("imports/{import}/cancel/", post="labeling.change_project"),
    Endpoint("imports/{import}/retry/", post="labeling.change_project"),
    Endpoint("imports/{import}/undo/", post="labeling.change_project"),
    Endpoint("imports/{import}/report/", get="labeling.view_import"),
    Endpoint("projects/{slug}/exports/", get="labeling.view_export", post="labeling.add_export"),
    Endpoint("exports/{export}/", get="labeling.view_export", delete="labeling.delete_export"),
    Endpoint("exports/{export}/download/", get="labeling.view_export"),
    Endpoint("projects/{slug}/snapshots/marked/", get="labeling.view_snapshot"),
    Endpoint("projects/{slug}/snapshots/reissue/", post="labeling.add_snapshot"),
    Endpoint("snapshots/{snapshot}/", get="labeling.view_snapshot"),
    Endpoint("snapshots/{snapshot}/reissue/", post="labeling.add_snapshot"),
    Endpoint("snapshots/{snapshot}/difference/{snapshot}/", get="labeling.view_snapshot"),
    Endpoint(
        "concepts/{concept}/",
        get="labeling.view_concept",
        patch="labeling.change_concept",
        delete="labeling.delete_concept",
    ),
    Endpoint("concepts/{concept}/merge/", post="labeling.change_concept"),
    Endpoint(
        "concepts/{concept}/exclusions/",
        get="labeling.view_concept",
        post="labeling.change_concept",
    ),
    Endpoint("concepts/{concept}/exclusions/1/", delete="labeling.change_concept"),
    Endpoint(
        "concepts/{concept}/examples/",
        get="labeling.view_concept",
        post="labeling.change_concept",
    ),
    Endpoint("concepts/{concept}/examples/{example}/", delete="labeling.change_concept"),
    Endpoint(
        "concepts/{concept}/gold/proposals/", get="labeling.view_concept labeling.view_question"
    ),
    Endpoint(
        "concepts/{concept}/gold/session/", get="labeling.view_concept labeling.view_question"
    ),
    Endpoint("questions/{question}/", get="labeling.view_question"),
    Endpoint("questions/{question}/decide/", post="labeling.change_question"),
    Endpoint("questions/{question}/reopen/", post="labeling.change_question"),
    Endpoint("projects/{slug}/members/", get="labeling.view_membership"),
    Endpoint("projects/{slug}/leave/", post=PUBLIC),  # of members
    Endpoint(
        "members/{member}/", patch="labeling.change_project", delete="labeling.change_project"
    ),
    Endpoint(
        "projects/{slug}/invitations/",
        get="labeling.view_invitation",
        post="labeling.change_project",
    ),
    Endpoint("invitations/accept/", post=PUBLIC),
    Endpoint("invitations/{invitation}/", delete="labeling.change_project"),
    Endpoint("projects/{slug}/events/", get="labeling.view_project labeling.view_event"),
    Endpoint("projects/{slug}/annotators/", get="labeling.view_annotator"),
    Endpoint("projects/{slug}/annotators/{annotator}/", get="labeling.view_annotator"),
    Endpoint("projects/{slug}/annotators/{annotator}/block/", post="labeling.change_question"),
    Endpoint("projects/{slug}/annotators/{annotator}/unblock/", post="labeling.change_question"),
    Endpoint("projects/{slug}/annotators/{annotator}/withdraw/", post="labeling.change_project"),
    Endpoint(
        "projects/{slug}/webhooks/", get="labeling.view_webhook", post="labeling.change_project"
    ),
    Endpoint(
        "webhooks/{webhook}/",
        get="labeling.view_webhook",
        patch="labeling.change_project",
        delete="labeling.change_project",
    ),
    Endpoint("webhooks/{webhook}/secret/", post="labeling.change_project"),
    Endpoint("webhooks/{webhook}/ping/", post="labeling.change_project"),
    Endpoint("webhooks/{webhook}/deliveries/", get="labeling.view_webhook"),
    Endpoint("deliveries/{delivery}/resend/", post="labeling.change_project"),
    Endpoint("projects/{slug}/sites/", get="labeling.view_site", post="labeling.change_project"),
    Endpoint("sites/{site}/", get="labeling.view_site", patch="labeling.change_project"),
    Endpoint("sites/{site}/secret/", post="labeling.change_project"),
    Endpoint("sites/{site}/secret/end-old/", post="labeling.change_project"),
    Endpoint("sites/{site}/statistics/", get="labeling.view_site"),
    Endpoint("annotators/", get="labeling.view_annotator"),
    Endpoint("annotators/{annotator}/", get="labeling.view_annotator"),
    Endpoint("annotators/{annotator}/block/", post="labeling.change_annotator"),
    Endpoint("annotators/{annotator}/unblock/", post="labeling.change_annotator"),
    Endpoint("runs/", get="training.view_run", post="training.add_run"),
    Endpoint("runs/{run}/", get="training.view_run", delete="training.delete_run"),
    Endpoint("runs/{run}/log/", get="training.view_run"),
    Endpoint("runs/{run}/report/", get="training.view_run"),
    Endpoint("runs/{run}/cancel/", post="training.add_run"),
    Endpoint("runs/{run}/resume/", post="training.add_run"),
    Endpoint("projects/{slug}/outlook/", get="training.view_run"),
    Endpoint(
        "projects/{slug}/comparison/", get="training.view_generation", post="training.add_run"
    ),
    Endpoint(
        "lineage/",
        get="training.view_model labeling.view_snapshot labeling.view_image",
        query=f"?sha256={64 * '0'}",
    ),
    Endpoint("models/", get="training.view_model"),
    Endpoint("models/{model}/", get="training.view_model"),
    Endpoint("models/{model}/promote/", post="training.change_model"),
    Endpoint("models/{model}/demote/", post="training.change_model"),
    Endpoint("promotions/", get="training.view_promotion"),
    Endpoint("promotions/{promotion}/undo/", post="training.change_model"),
    Endpoint("models/{model}/examples/1/", get=PUBLIC),
    Endpoint("generations/", get=PUBLIC, post=PUBLIC),
    Endpoint("generations/{generation}/", get=PUBLIC),
    Endpoint("generations/{generation}/cancel/", post=PUBLIC),
    Endpoint("generations/{generation}/source-image/", get=PUBLIC),
    Endpoint("generations/{generation}/ask/", post="labeling.add_question"),
    Endpoint("generations/{generation}/samples/1/", get=PUBLIC),
    Endpoint("generations/{generation}/samples/1/nearest/1/", get=PUBLIC),
]
READABLE = [e for e in ENDPOINTS if e.get is not None]
WRITES = [
    Write(method, endpoint.path, getattr(endpoint, method))
    for endpoint in ENDPOINTS
    for method in METHODS[1:]
    if method in endpoint.methods
]
STAFF_READABLE = [e for e in READABLE if e.get]
STAFF_WRITES = [write for write in WRITES if write.permission]

"""Whatever a page lets a member do, a program can do over the API."""

from tests.labeling.api.endpoints import ENDPOINTS
from tests.labeling.api.test_roles import PAGES

# Actions of the pages below /projects/<slug>/, each with the operations that do the same.
SAME = {
    "project-annotator-withdraw": "post projects/{slug}/annotators/{annotator}/withdraw/",
    "project-annotator-block": "post projects/{slug}/annotators/{annotator}/block/",
    "project-annotator-unblock": "post projects/{slug}/annotators/{annotator}/unblock/",
    "project-concept-example": "post concepts/{concept}/examples/",
    "project-concept-exclusion": "post concepts/{concept}/exclusions/",
    "project-concept-delete": "delete concepts/{concept}/",
    "project-concepts-add": "post projects/{slug}/concepts/list/",
    "project-concepts-change": "patch concepts/{concept}/",
    "project-concepts-merge": "post concepts/{concept}/merge/",
    "project-comment-resolve": "post comments/{comment}/resolve/",
    "project-skips-resolve": "post projects/{slug}/skips/resolve/",
    "project-gold-decide": "post projects/{slug}/gold/",
    "project-question-gold": "post projects/{slug}/gold/replace/",
    "project-image-decide": "post projects/{slug}/questions/",
    "project-import-choose": "post imports/{import}/concepts/",
    "project-import-cancel": "post imports/{import}/cancel/",
    "project-import-retry": "post imports/{import}/retry/",
    "project-import-declare": "patch imports/{import}/",
    "project-exports": "post projects/{slug}/exports/",
    "project-export-delete": "delete exports/{export}/",
    "project-import-options": "post imports/{import}/options/",
    "project-import-columns": "post imports/{import}/columns/",
    "project-answers-send": "post projects/{slug}/answers/",
    "project-import-undo": "post imports/{import}/undo/",
    "project-instructions": "patch projects/{slug}/",
    "project-labels-decide": "post projects/{slug}/decisions/",
    "project-labels-undo": "post projects/{slug}/decisions/{batch}/undo/",
    "project-parts-change": "post projects/{slug}/parts/",
    "project-picture-parts": "post images/{image}/parts/",
    "project-invite": "post projects/{slug}/invitations/",
    "project-invitation-revoke": "delete invitations/{invitation}/",
    "project-member-role": "patch members/{member}/",
    "project-member-remove": "delete members/{member}/",
    "project-leave": "post projects/{slug}/leave/",
    "project-snapshots-freeze": "post projects/{slug}/snapshots/",
    "project-snapshot-reissue": "post snapshots/{snapshot}/reissue/",
    "project-snapshots-reissue": "post snapshots/{snapshot}/reissue/",
    "project-picture-remove": "post images/{image}/remove/",
    "project-bucket": "post projects/{slug}/imports/bucket/",
    "project-upload": "post projects/{slug}/imports/",
    "project-question-decide": "post questions/{question}/decide/",
    "project-question-comment": "post projects/{slug}/comments/",
    "project-settings": "patch projects/{slug}/",
    "project-publish": "post projects/{slug}/publish/",
    "project-unpublish": "post projects/{slug}/unpublish/",
    "project-archive": "post projects/{slug}/archive/",
    "project-reopen": "post projects/{slug}/reopen/",
    "project-model-promote": "post models/{model}/promote/",
    "project-model-demote": "post models/{model}/demote/",
    "project-model-undo": "post promotions/{promotion}/undo/",
    "project-run-cancel": "post runs/{run}/cancel/",
    "project-run-resume": "post runs/{run}/resume/",
    "project-run-delete": "delete runs/{run}/",
    "project-train": "post runs/",
    "project-webhooks": "post projects/{slug}/webhooks/",
    "project-webhook-change": "patch webhooks/{webhook}/",
    "project-webhook-secret": "post webhooks/{webhook}/secret/",
    "project-webhook-delete": "delete webhooks/{webhook}/",
    "project-webhook-ping": "post webhooks/{webhook}/ping/",
    "project-captcha": "post projects/{slug}/sites/",
    "project-site": "patch sites/{site}/",
    "project-site-switch": "patch sites/{site}/",
    "project-site-secret": "post sites/{site}/secret/",
    "project-site-old-secrets": "post sites/{site}/secret/end-old/",
    "project-delivery-resend": "post deliveries/{delivery}/resend/",
}


def actions() -> set[str]:
    """The names of the addresses of pages that change something, by the table of roles."""
    rows = (line.split() for line in PAGES.strip().splitlines())
    return {name for _capability, methods, *names in rows if "POST" in methods for name in names}


def test_whatever_a_page_changes_the_api_changes():
    assert actions() == set(SAME)


def test_the_operations_are_there():
    operations = {f"{method} {each.path}" for each in ENDPOINTS for method in each.methods}
    assert set(SAME.values()) <= operations

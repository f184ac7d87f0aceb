"""Members use the API as their role in the project allows, without being staff."""

import pytest
from django.test import Client

from labeling.models import Membership, Project, Question

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_role(shapes, carol):
    """Return a function that makes Carol a member in a role, and returns her client."""

    def join(role: str, project: Project = shapes) -> Client:
        Membership.objects.create(project=project, user=carol, role=role)
        client = Client()
        client.force_login(carol)
        return client

    return join


def test_a_viewer_sees_questions_and_decides_none(as_role, ids):
    viewer = as_role("viewer")
    assert viewer.get("/api/v1/projects/shapes/questions/").status_code == 200
    decision = f"/api/v1/questions/{ids['question']}/decide/"
    assert _post(viewer, decision, {"value": True}) == 403
    assert Question.objects.get(pk=ids["question"]).decided_by is None


def test_a_reviewer_decides_and_changes_no_concept(as_role, ids):
    reviewer = as_role("reviewer")
    decision = f"/api/v1/questions/{ids['question']}/decide/"
    assert _post(reviewer, decision, {"value": True}) == 200
    assert _post(reviewer, "/api/v1/projects/shapes/concepts/", {"name": "owl"}) == 403


def test_the_rows_of_another_project_are_not_there(as_role, ids):
    owner = as_role("owner", Project.objects.create(slug="own", name="Own"))
    for path in (
        "projects/shapes/questions/",
        f"questions/{ids['question']}/",
        f"concepts/{ids['concept']}/",
        f"snapshots/{ids['snapshot']}/",
        f"runs/{ids['run']}/",
        f"models/{ids['model']}/",
    ):
        assert owner.get(f"/api/v1/{path}").status_code == 404, path
    decision = f"/api/v1/questions/{ids['question']}/decide/"
    assert _post(owner, decision, {"value": True}) == 404


def test_lists_hold_the_rows_of_a_members_projects_only(as_role, ids):
    owner = as_role("owner", Project.objects.create(slug="own", name="Own"))
    for path in ("runs/", "models/"):
        assert owner.get(f"/api/v1/{path}").json()["results"] == []


def test_nobody_trains_on_the_snapshot_of_another_project(as_role, ids):
    owner = as_role("owner", Project.objects.create(slug="own", name="Own"))
    for source in ({"snapshot": ids["snapshot"]}, {"project": "shapes"}):
        assert _post(owner, "/api/v1/runs/", {"recipe": "clip", **source}) == 400


def test_no_concept_is_merged_into_one_of_another_project(as_role, ids):
    own = Project.objects.create(slug="own", name="Own")
    owner = as_role("owner", own)
    concept = own.concepts.create(name="disc", phrase="a disc")
    address = f"/api/v1/concepts/{concept.pk}/merge/"
    assert _post(owner, address, {"into": ids["concept"]}) == 404


def test_the_list_of_all_annotators_is_for_staff(as_role):
    assert as_role("owner").get("/api/v1/annotators/").status_code == 403


def _post(client: Client, address: str, body: dict[str, object]) -> int:
    return client.post(address, body, content_type="application/json").status_code

"""Staff need the same permissions by API as in the admin."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import URLPattern, reverse

from labeling.api import urls as labeling_urls
from tests.labeling.api.endpoints import (
    API,
    ENDPOINTS,
    STAFF_READABLE,
    STAFF_WRITES,
    Write,
)
from training.api import urls as training_urls

pytestmark = pytest.mark.django_db
REFUSED = 403
BROAD = {  # which stand for a capability in all projects
    "labeling.view_project",
    "labeling.change_project",
    "labeling.change_question",
    "training.add_run",
}
CLOSED = {REFUSED, 404}  # 404: where the project itself is not to be seen
SAME_DOORS = [
    ("labeling_annotator_changelist", "annotators/"),
    ("labeling_concept_changelist", "projects/{slug}/concepts/"),
    ("labeling_question_changelist", "projects/{slug}/questions/"),
    ("labeling_snapshot_changelist", "snapshots/{snapshot}/"),
    ("training_run_changelist", "runs/"),
    ("training_model_changelist", "models/"),
]


@pytest.fixture
def every_permission(ada) -> set[str]:
    apps = ("labeling.", "training.")
    return {name for name in ada.get_all_permissions() if name.startswith(apps)}


class Staff:
    """Members of the staff, one for each set of permissions."""

    def __init__(self) -> None:
        stored = Permission.objects.filter(content_type__app_label__in=["labeling", "training"])
        self._stored = {
            f"{row.content_type.app_label}.{row.codename}": row
            for row in stored.select_related("content_type")
        }
        self._clients: dict[frozenset[str], Client] = {}

    def __call__(self, *permissions: str) -> Client:
        """Return the browser of one who has these permissions and no others."""
        names = frozenset(permissions)
        if names not in self._clients:
            self._clients[names] = self._make(names)
        return self._clients[names]

    def _make(self, names: frozenset[str]) -> Client:
        user = User.objects.create_user(f"clerk {len(self._clients)}", is_staff=True)
        user.user_permissions.set([self._stored[name] for name in names])
        client = Client()
        client.force_login(user)
        return client


@pytest.fixture
def staff(db: None) -> Staff:
    return Staff()


def get(client: Client, path: str, ids) -> int:
    response = client.get(API + path.format(**ids))
    b"".join(response)  # which closes a file that is sent
    return response.status_code


def post(client: Client, path: str, ids) -> int:
    return send(client, Write("post", path, ""), ids)


def send(client: Client, write: Write, ids) -> int:
    address = API + write.path.format(**ids)
    body = {"value": True}
    do = getattr(client, write.method)
    return do(address, body, content_type="application/json").status_code


def test_every_endpoint_is_in_the_table():
    patterns = [*labeling_urls.urlpatterns, *training_urls.urlpatterns]
    assert all(isinstance(pattern, URLPattern) for pattern in patterns)
    resolved = [
        next(p for p in patterns if p.resolve(_sample(endpoint.path))) for endpoint in ENDPOINTS
    ]
    assert resolved == patterns


def _sample(path: str) -> str:
    names = """annotator concept example image import model question run snapshot export promotion
    access webhook site delivery tile batch comment member invitation"""
    ids = dict.fromkeys(names.split(), "7")
    return path.format(
        slug="a", token="a.b", generation="0" * 8 + 3 * "-0000" + "-" + "0" * 12, **ids
    )


def test_whoever_may_view_is_shown(ids, staff):
    for endpoint in STAFF_READABLE:
        assert get(staff(*endpoint.get.split()), endpoint.address, ids) in {
            200,
            202,
        }, endpoint
        may_change = [name.replace("view", "change") for name in endpoint.get.split()]
        assert get(staff(*may_change), endpoint.address, ids) in {200, 202}, endpoint


def test_staff_who_may_not_view_are_shown_nothing(ids, staff, every_permission):
    for endpoint in STAFF_READABLE:
        assert get(staff(), endpoint.address, ids) in CLOSED, endpoint
        for name in endpoint.get.split():
            denied = {name, name.replace("view", "change")} | BROAD
            assert get(staff(*(every_permission - denied)), endpoint.address, ids) in CLOSED, (
                endpoint
            )


def test_staff_who_may_not_change_change_nothing(ids, staff, every_permission):
    for write in STAFF_WRITES:
        clerk = staff(*(every_permission - {write.permission} - BROAD))
        assert send(clerk, write, ids) in CLOSED, write


def test_whoever_may_change_is_let_in(ids, staff):
    for write in STAFF_WRITES:
        assert send(staff(write.permission), write, ids) != REFUSED, write


def test_a_superuser_may_do_everything(ids, ada_client):
    for endpoint in STAFF_READABLE:
        assert get(ada_client, endpoint.address, ids) in {200, 202}, endpoint
    for write in STAFF_WRITES:
        assert send(ada_client, write, ids) != REFUSED, write


def test_nobody_else_comes_in_not_even_with_permissions(ids, client, ada):
    User.objects.filter(pk=ada.pk).update(is_staff=False)
    client.force_login(ada)
    for endpoint in STAFF_READABLE:
        assert get(Client(), endpoint.address, ids) == 401, endpoint
        assert get(client, endpoint.address, ids) in CLOSED, endpoint
    for write in STAFF_WRITES:
        assert send(Client(), write, ids) == 401, write
        assert send(client, write, ids) in CLOSED, write


def test_a_wrong_token_is_refused_with_the_scheme_that_is_asked_for(ids, client):
    for endpoint in STAFF_READABLE:
        address = API + endpoint.path.format(**ids)
        response = client.get(address, headers={"Authorization": "Bearer wrong"})
        assert response.status_code == 401, endpoint
        assert response.headers["WWW-Authenticate"] == "Bearer", endpoint


def test_staff_cancel_the_drawings_of_others_with_a_permission_only(ids, staff):
    path = "generations/{generation}/cancel/"
    assert post(staff("training.view_generation"), path, ids) == REFUSED
    assert post(staff("training.change_generation"), path, ids) == 200


def test_the_api_is_open_to_whom_the_admin_is_open(ids, staff, every_permission):
    opening = {name.split("_")[1] for name, _ in SAME_DOORS}  # what lies behind them
    names = {name for name in every_permission if ".change_" not in name}
    alone = {n for n in names if ".view_" in n and n.split("_")[1] in opening} | (names & BROAD)
    idle = names - alone  # they open nothing, not even all together
    for names in [*({name} for name in sorted(alone)), idle]:
        clerk = staff(*names)
        for page, path in SAME_DOORS:
            address = reverse(f"admin:{page}")
            admin = clerk.get(address).status_code == 200
            api = get(clerk, path, ids) == 200
            assert not (admin or api) or names != idle, (names, page)
            assert api == admin or (api and names <= BROAD), (names, page)

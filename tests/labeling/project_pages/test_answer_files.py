"""An owner imports answers and gold on the pages: sees how a file is read, and then what came."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from labeling import tasks
from labeling.models import Answer, Import, Membership

pytestmark = pytest.mark.django_db
RED = "red circle 00.png"


@pytest.fixture(autouse=True)
def folders(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.UPLOAD_MIN_FREE_BYTES = 0


@pytest.fixture
def owner(shapes, carol) -> Client:
    Membership.objects.create(project=shapes, user=carol, role="owner")
    client = Client()
    client.force_login(carol)
    return client


def send(client: Client, text: str, kind: str = "answers") -> str:
    """Send a file, and let it be read; return the address of its import."""
    file = SimpleUploadedFile("answers.csv", text.encode())
    page = client.post("/projects/shapes/answers/file/", {"file": file, "kind": kind}).url
    tasks.advance_imports()
    return page


def text_of(client: Client, page: str) -> str:
    return " ".join(client.get(page).content.decode().split())


def test_an_owner_sees_how_a_file_is_read_and_imports_it(owner):
    page = send(owner, f"task,worker,label\n{RED},ann,circle\ngone.png,ben,circle\n")
    shown = text_of(owner, page)
    assert "Read as a table: task = task; worker = worker; label = label." in shown
    assert "Import 2 answers" in shown and "<bdi>ann</bdi>" in shown
    assert not Answer.objects.exists()
    owner.post(f"{page}columns/", {})
    tasks.advance_imports()
    done = text_of(owner, page)
    assert done.count("Read as a table") == 1  # and not among what was refused
    assert "2 answers read: 1 new, 0 known already, 1 refused." in done
    assert "&#x27;gone.png&#x27; is no picture of shapes" in done and "line 3" in done
    assert "2 answers read: 1 new" in text_of(owner, "/projects/shapes/pictures/")
    assert "<b>1</b> answer that it brought" in text_of(owner, f"{page}undo/")


def test_a_choice_that_cannot_be_is_told_and_nothing_is_lost(owner):
    page = send(owner, f"task,worker,label\n{RED},ann,circle\n")
    told = owner.post(f"{page}columns/", {"task": "nowhere"}, follow=True).content.decode()
    assert "there is no column nowhere" in told
    assert Import.objects.get().state == "choosing"


def test_a_gold_list_is_shown_with_its_truths(owner):
    page = send(owner, f"task,concept,truth\n{RED},circle,yes\n", kind="gold")
    assert "Read as a gold list: task = task; truth = truth; concept = concept." in text_of(
        owner, page
    )
    owner.post(f"{page}columns/", {})
    tasks.advance_imports()
    assert "1 truth read:" in text_of(owner, page)


def test_without_a_file_it_says_what_to_do(owner):
    told = owner.post("/projects/shapes/answers/file/", {"kind": "answers"}, follow=True)
    assert "Choose a file of answers or of gold first." in told.content.decode()

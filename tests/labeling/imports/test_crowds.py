"""A worker's id is one person within a crowd: of a tool that counts alone, within a project."""

import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from labeling.imports.answers import jobs
from labeling.imports.answers.entries import AnswersError
from labeling.imports.answers.options import Options
from labeling.models import Annotator, Import, Membership, Project
from tests.labeling.imports.sources import fill
from tests.pictures import png

pytestmark = pytest.mark.django_db

MTURK = "HITId,WorkerId,Input.image,Answer.label\n1,A1X,a.png,owl\n"
TABLE = "task,worker,label\na.png,1,owl\n"
CVAT = (
    "<annotations><meta><task><id>4</id><assignee><username>1</username></assignee></task></meta>"
    '<image id="0" name="a.png"><tag label="owl"/></image></annotations>'
)


@pytest.fixture
def projects(tmp_path):
    """Two projects, each with a picture of an owl or a hen."""
    for number, slug in enumerate(("night", "day")):
        fill(tmp_path / slug, **{"owl/a.png": png(number), "hen/b.png": png(number + 2)})
        call_command("import_images", str(tmp_path / slug), project=slug, concepts="all")
    return list(Project.objects.order_by("pk"))


def label_studio(worker) -> str:
    region = {"type": "choices", "value": {"choices": ["owl"]}, "from_name": "what"}
    task = {"id": 1, "data": {"image": "a.png"}}
    return json.dumps([{**task, "annotations": [{"completed_by": worker, "result": [region]}]}])


def give(project, tmp_path, content: str, **options) -> tuple[set[str], str]:
    """Import answers; return the annotators that they made, and what was said."""
    before = set(Annotator.objects.values_list("pseudonym", flat=True))
    path, said = tmp_path / "answers", io.StringIO()
    path.write_text(content)
    call_command("import_answers", str(path), project=project.slug, stdout=said, **options)
    return set(Annotator.objects.values_list("pseudonym", flat=True)) - before, said.getvalue()


@pytest.mark.parametrize(
    ("tool", "content"),
    [("label-studio", label_studio(1)), ("cvat", CVAT), ("table", TABLE)],
)
def test_the_first_user_of_two_installations_is_two_people(projects, tmp_path, tool, content):
    for project in projects:
        made, said = give(project, tmp_path, content)
        assert made == {f"imported:{project.pk}/{tool}:1"}
        assert "Its worker ids are those of this project and tool alone" in said


def test_the_first_users_of_two_tools_are_two_people(projects, tmp_path):
    night, _ = projects
    assert give(night, tmp_path, CVAT)[0] and give(night, tmp_path, label_studio(1))[0]


def test_a_worker_of_mechanical_turk_is_one_person_everywhere(projects, tmp_path):
    night, day = projects
    assert give(night, tmp_path, MTURK)[0] == {"imported:mturk:A1X"}
    made, said = give(day, tmp_path, MTURK)
    assert made == set() and Annotator.objects.get().answers.count() == 2
    assert "the crowd “mturk”, the same people in all projects" in said


def test_one_crowd_may_work_in_several_projects_and_tools(projects, tmp_path):
    night, day = projects
    assert give(night, tmp_path, label_studio(7), crowd="Acme  team")[0] == {"imported:acme team:7"}
    assert give(day, tmp_path, TABLE.replace(",1,", ",7,"), crowd="acme team")[0] == set()


def test_what_another_projects_crowd_is_thought_of_is_its_own(projects, tmp_path, carol):
    night, day = projects
    give(night, tmp_path, TABLE, crowd="acme")
    Membership.objects.create(project=day, user=carol, role="owner")
    chosen = Options.of({"crowd": "acme"})

    def send():
        file = SimpleUploadedFile("a.csv", TABLE.encode())
        return jobs.begin(
            project=day, by=carol, kind="answers", file=file, options=chosen, start_at_once=False
        )

    with pytest.raises(AnswersError, match="is another project's"):
        send()
    Membership.objects.create(project=night, user=carol, role="owner")
    assert send().options == {"crowd": "acme"}
    Membership.objects.filter(project=night).delete()
    waiting = Import.objects.get(project=day, kind="answers")
    Import.objects.filter(pk=waiting.pk).update(state="choosing")
    with pytest.raises(AnswersError, match="is another project's"):
        jobs.confirm(record=waiting, options=chosen, by=carol)


@pytest.mark.parametrize("name", ["12/table", "a:b", "-", "x" * 61])
def test_a_crowds_name_cannot_be_taken_for_another(name):
    with pytest.raises(AnswersError, match="60 letters, digits"):
        Options.of({"crowd": name})

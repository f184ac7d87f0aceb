"""The command says how much gold there is, and marks it from a CSV."""

import io

import pytest
from django.core.management import CommandError, call_command

from labeling.imports import undo
from labeling.imports.answers import checking
from labeling.models import Event, Image, Import, Question

pytestmark = pytest.mark.django_db


def run(*arguments, **options) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("gold", *arguments, project="shapes", stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_it_says_what_is_missing_and_why(shapes):
    out, _ = run()
    assert "circle: 3 yes and 3 no of 4 and 4. 2 more (1 yes, 1 no): a busy annotator" in out


def test_it_marks_from_a_file_and_tells_what_it_cannot(shapes, ada, tmp_path):
    first, second = Image.objects.order_by("-pk")[:2]
    file = tmp_path / "gold.csv"
    file.write_text(
        "task,concept,truth\n"
        f"{first.source},circle,yes\n"
        f"{second.sha256},Circle,no\n"
        f"{second.source},circle,yes\n"
        "gone.png,circle,yes\n"
        f"{first.source},unicorn,yes\n"
        f"{first.source},square,perhaps\n"
    )
    out, err = run(str(file), by="ada")
    assert "6 truths read: 2 new, 0 known already, 4 refused; about 2 pictures." in out
    for problem in (
        "line 4, column truth: it is both yes and no: see line 3.",
        "line 5, column task: 'gone.png' is no picture of shapes.",
        "line 6, column concept: 'unicorn' is no concept of shapes.",
        "line 7, column truth: 'perhaps' is neither yes nor no.",
    ):
        assert problem in err
    known = Question.objects.filter(tile__image__in=[first, second], state="gold")
    assert set(known.values_list("verdict", flat=True)) == {True, False}
    assert Event.objects.filter(kind="import", actor="ada").count() == 2
    assert "6 truths read: 0 new, 2 known already, 4 refused" in run(str(file), by="ada")[0]


def test_gold_that_differs_stays_unless_somebody_says_so(shapes, ada, tmp_path):
    question = Question.objects.filter(state="gold", verdict=True, grid=1).first()
    file = tmp_path / "gold.csv"
    file.write_text(f"path;concept;value\n{question.tile.image.source};{question.concept};no\n")
    with pytest.raises(CommandError, match="all was refused"):
        run(str(file))
    out, _ = run(str(file), by="ada")
    assert "1 truth read: 1 new" in out and "1 of the new were known otherwise" in out
    question.refresh_from_db()
    assert (question.state, question.verdict) == ("gold", False)


def test_taking_a_gold_list_back_takes_its_gold_back(shapes, tmp_path):
    image = Image.objects.order_by("-pk").first()
    before = set(Question.objects.filter(state="gold").values_list("pk", flat=True))
    file = tmp_path / "gold.csv"
    file.write_text(f"task,concept,truth\n{image.source},circle,no\n")
    run(str(file))
    assert set(Question.objects.filter(state="gold").values_list("pk", flat=True)) > before
    undo.undo(Import.objects.get(kind="gold"), None)
    assert set(Question.objects.filter(state="gold").values_list("pk", flat=True)) == before


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n1,2\n", "which column holds the task"),
        (b"\xff\xfe", "it is empty"),
        (b"", "it is empty"),
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(shapes, tmp_path, data, message):
    file = tmp_path / "gold.csv"
    file.write_bytes(data)
    with pytest.raises(CommandError, match=message):
        run(str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        run(str(tmp_path / "none.csv"))
    with pytest.raises(CommandError, match="no user"):
        run(str(file), by="nobody")


def test_a_list_of_classes_says_yes_once_and_no_of_the_others(shapes, tmp_path):
    """A picture of one class of the file is of none of the others; what is wrong has its line."""
    first, second, third, *_ = (image.source for image in shapes.images.order_by("-pk"))
    file = tmp_path / "gold.csv"
    lines = [
        *("picture,species,notes", f"{first},circle,", f"{second},Square,sure", f"{third},heron,"),
        *(f"{first},square,", f"{first},circle,again", "nowhere.png,circle,", f"{third},,"),
    ]
    file.write_text("\n".join(lines))
    with pytest.raises(CommandError, match="truth"):
        run(str(file))
    out, err = run(str(file), columns="truth=species")
    assert "Read as a gold list of classes: task = picture; class = species." in out
    assert "Each picture is of one of its 2 classes" in out
    assert "9 truths read: 4 new, 1 known already, 4 refused" in out
    assert "'heron' is no concept of shapes" in err
    assert "line 5, column species: it is 'circle' in line 2; where several classes are true" in err
    assert "line 7, column task" in err and "line 8, column species: the cell is empty" in err
    known = Question.objects.filter(state="gold", tile__image__source__in=[first, second], grid=1)
    told = set(known.values_list("tile__image__source", "concept__name", "verdict"))
    assert told >= {(first, "circle", True), (first, "square", False)}
    assert told >= {(second, "circle", False), (second, "square", True)}
    assert not Question.objects.filter(state="gold", tile__image__source=third).exists()


def test_two_columns_need_no_names(shapes, tmp_path):
    file = tmp_path / "gold.csv"
    file.write_text(f"file_name,shape\n{shapes.images.order_by('-pk')[0].source},circle\n")
    out, _ = run(str(file))
    assert "1 truth read: 1 new" in out and "classes:" not in out.partition("\n")[2]


def test_yes_and_no_are_no_classes(shapes, tmp_path):
    file = tmp_path / "gold.csv"
    file.write_text(f"task,truth\n{shapes.images.order_by('pk')[0].source},yes\n")
    with pytest.raises(CommandError, match="Its labels are yes and no, and nothing says of which"):
        run(str(file))


def test_more_truths_than_classes_may_make_are_refused(shapes, tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "MOST_TRUTHS", 3)
    first, second, *_ = (image.source for image in shapes.images.order_by("pk"))
    file = tmp_path / "gold.csv"
    file.write_text(f"task,class\n{first},circle\n{second},square\n")
    with pytest.raises(CommandError, match="2 pictures of 2 classes are 4 truths, more than 3"):
        run(str(file))

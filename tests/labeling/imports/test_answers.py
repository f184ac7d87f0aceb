"""A crowd's answers are imported from a CSV."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labeling import answers
from labeling.concepts import edit
from labeling.imports.answers import load as load_answers
from labeling.models import Annotator, Answer, Image, Question
from tests.cast import COLOURS
from tests.concurrency import meanwhile
from tests.labeling.imports.sources import fill
from tests.pictures import encoded, patchwork, png

pytestmark = pytest.mark.django_db


@pytest.fixture
def write(tmp_path):
    def to_file(content: str | bytes) -> str:
        path = tmp_path / "answers.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return to_file


def load(path: str, capsys) -> str:
    call_command("import_answers", path, project="shapes")
    return capsys.readouterr().out


def answers_of(worker: str) -> dict[tuple[str, str], bool]:
    answers = Answer.objects.filter(annotator__pseudonym=f"imported:{worker}")
    columns = "question__tile__image__source", "question__concept__name", "value"
    return {(source, concept): value for source, concept, value in answers.values_list(*columns)}


def test_a_label_is_a_yes_to_it_and_a_no_to_the_others(shapes, write, capsys):
    path = write(
        "task,worker,label,when\n"
        "red circle 00.png,ann,circle,1\n"
        "red square 12.png,ann,square,2\n"
        "red circle 00.png,ben,square,3\n"
    )
    assert "6 new of 6 answers by 2 people about 2 images" in load(path, capsys)
    assert answers_of("ann") == {
        ("red circle 00.png", "circle"): True,
        ("red circle 00.png", "square"): False,
        ("red square 12.png", "circle"): False,
        ("red square 12.png", "square"): True,
    }
    assert answers_of("ben")["red circle 00.png", "square"] is True
    assert set(Answer.objects.values_list("reason", flat=True)) == {"imported"}


def test_with_a_concept_a_label_is_yes_or_no(shapes, write, capsys):
    image = Image.objects.get(source="blue square 16.png")
    path = write(
        "concept,label,worker,task\r\n"
        "circle,no,ann,blue square 16.png\r\n"
        f"square,Yes,ann,{image.sha256}\r\n"
        f"square,1,ben,{image.source_sha256}\r\n"
    )
    load(path, capsys)
    assert answers_of("ann") == {(image.source, "circle"): False, (image.source, "square"): True}
    assert answers_of("ben") == {(image.source, "square"): True}


def test_a_label_may_be_an_alias(shapes, write, capsys):
    edit(concept=shapes.concepts.get(name="circle"), aliases=["disc"])
    load(
        write("task,worker,label\nred circle 00.png,ann,DISC\nred square 12.png,ann,square\n"),
        capsys,
    )
    assert answers_of("ann")["red circle 00.png", "circle"] is True


def test_a_file_name_is_enough_where_it_is_unique(shapes, write, capsys):
    image = Image.objects.get(source="red circle 00.png")
    Image.objects.filter(pk=image.pk).update(source="deep/down/a.png")
    load(write("task,worker,label\na.png,ann,circle\n"), capsys)
    assert answers_of("ann") == {("deep/down/a.png", "circle"): True}


def test_an_answer_to_a_copy_is_one_to_the_picture(shapes, tmp_path, write, capsys):
    folder = tmp_path / "pictures"
    original = png(7)
    files = {"Kreis/copy of one.png": original, "Kreis/kreis_ä03.png": original}
    fill(folder, **files, **{"Quadrat/same.bmp": encoded(patchwork(7), "BMP")})
    for _ in range(2):
        call_command("import_images", str(folder), project="shapes")
    image = Image.objects.get(source="Kreis/copy of one.png")
    assert image.further_sources == ["Kreis/kreis_ä03.png", "Quadrat/same.bmp"]

    rows = "Kreis/kreis_ä03.png,ann,circle\nKreis/copy of one.png,ben,circle\n"
    load(
        write(f"task,worker,label\n{rows}Quadrat/same.bmp,cas,circle\nsame.bmp,dan,circle\n"),
        capsys,
    )
    for worker in ("ann", "ben", "cas", "dan"):
        assert answers_of(worker) == {(image.source, "circle"): True}


def test_importing_twice_adds_nothing(shapes, write, capsys):
    path = write("task,worker,label\nred circle 00.png,ann,circle\n")
    load(path, capsys)
    before = list(Question.objects.order_by("pk").values())
    assert "0 new of 1 answer " in load(path, capsys)
    assert Answer.objects.count() == 1
    assert list(Question.objects.order_by("pk").values()) == before


def test_questions_that_nobody_asked_are_asked(shapes, write, capsys):
    Question.objects.filter(concept__name="circle").delete()
    load(write("task,worker,label\nred circle 00.png,ann,circle\n"), capsys)
    assert Question.objects.get(concept__name="circle").answers_count == 1


def test_the_crowd_settles_labels(shapes, write, capsys):
    rows = [
        f"{colour} circle {number:02}.png,worker {worker},circle"
        for number, colour in zip(range(0, 12, 2), COLOURS, strict=True)
        for worker in range(4)
    ]
    load(write("\n".join(["task,worker,label", *rows])), capsys)
    questions = Question.objects.filter(concept__name="circle", answers_count=4)
    assert questions.count() == 6
    assert {question.state for question in questions} == {"settled", "gold"}


TWO_PEOPLE = "task,worker,label,concept\nRED,ann,yes,circle\nRED,ben,yes,square\n"


def test_an_import_that_was_interrupted_is_finished_by_running_it_again(
    shapes, write, capsys, monkeypatch
):
    path = write(TWO_PEOPLE.replace("RED", RED))
    record = answers.record

    def dies(*, annotator, **columns):
        if annotator.pseudonym == "imported:ben":
            raise ConnectionError("the server is gone")
        return record(annotator=annotator, **columns)

    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(answers, "record", dies)
        call_command("import_answers", path, project="shapes")
    assert Answer.objects.count() == 1
    report = load(path, capsys)
    assert "1 new of 2 answers by 2 people about 1 image (1 known already" in report
    assert Answer.objects.count() == 2


def test_every_answer_is_accounted_for(shapes, write, monkeypatch):
    path = write(TWO_PEOPLE.replace("RED", RED))
    record = answers.record

    def after_a_deletion(*, annotator, **columns):
        Question.objects.filter(concept__name="square").delete()
        return record(annotator=annotator, **columns)

    monkeypatch.setattr(answers, "record", after_a_deletion)
    imported = load_answers(path=Path(path), project=shapes)
    counts = imported.answers, imported.new, imported.known, imported.gone
    assert counts == (2, 1, 0, 1)


@pytest.mark.django_db(transaction=True)
def test_somebody_who_answers_meanwhile_does_not_wait_for_the_whole_import(
    shapes, write, alice, monkeypatch
):
    """One transaction over all workers would hold their questions in no order: a deadlock."""
    path = write(TWO_PEOPLE.replace("RED", RED))
    questions = Question.objects.filter(kind="concept", tile__image__source=RED)
    values = dict.fromkeys(questions.values_list("pk", flat=True), True)
    record, imported = answers.record, []

    def interrupted(*, annotator, **columns):
        if imported:
            meanwhile(
                lambda: record(
                    annotator=alice, values=values, reasons=dict.fromkeys(values, "wanted")
                )
            )
        imported.append(annotator)
        return record(annotator=annotator, **columns)

    monkeypatch.setattr(answers, "record", interrupted)
    load_answers(path=Path(path), project=shapes)
    assert len(imported) == 2
    assert set(questions.values_list("answers_count", flat=True)) == {2}


HEADER = "task,worker,label\n"
GOOD = "blue circle 04.png,ann,circle\n"
RED = "red circle 00.png"
BAD = [
    ("", "is empty: it needs a header line with task, worker, label"),
    ("task,worker\na,b\n", "line 1: column label is missing"),
    ("task,worker,label,concept,concept\n", "column concept appears twice"),
    (HEADER, "holds a header but no rows"),
    (f"{HEADER}{GOOD}nowhere.png,ann,circle\n", "line 3, column task: 'nowhere.png' is no picture"),
    (f"{HEADER}{GOOD}{RED},ann,cat\n", "line 3, column label: 'cat' is no concept"),
    (f"{HEADER}{GOOD}{RED},,circle\n", "line 3, column worker: the cell is empty"),
    (f"{HEADER}{GOOD}{RED},ann\n", "line 3: there are 2 cells where the header has 3"),
    (f"{HEADER}{GOOD}{RED},ann,circle,more\n", "line 3: there are 4 cells"),
    (f"{HEADER}{GOOD}\n{RED},{'x' * 61},circle\n", "line 4, column worker: the name is longer"),
    (f"{HEADER}{GOOD}{RED},a\x07n,circle\n", "line 3, column worker: the cell holds control"),
    (f"{HEADER}{GOOD}{RED},a\0n,circle\n", "line 3: this is not text"),
    (f'{HEADER}{GOOD}"{RED},ann,circle\n', "line 3: this is not CSV"),
    (f"{HEADER}{GOOD}{'x' * 200_000},ann,circle\n", "line 3: this is not CSV"),
    (f"task,worker,label,concept\n{RED},ann,yes,\n", "line 2, column concept: the cell is empty"),
    (f"task,worker,label,concept\n{RED},ann,maybe,circle\n", "'maybe' is neither yes nor no"),
    (f"task,worker,label,concept\n{RED},ann,yes,cat\n", "column concept: 'cat' is no concept"),
    (
        f"task,worker,label,concept\n{RED},ann,yes,circle\n{RED},ann,no,circle\n",
        "line 3, column label: ann answered the opposite",
    ),
]


@pytest.mark.parametrize(("content", "message"), BAD, ids=[message for _, message in BAD])
def test_it_names_what_is_wrong_and_imports_nothing(shapes, write, content, message):
    with pytest.raises(CommandError, match=message):
        call_command("import_answers", write(content), project="shapes")
    assert not Answer.objects.exists() and not Annotator.objects.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00\x01" * 50 + b"\0", "begins like UTF-16 but is not"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "line 3: this is not text"),
        (HEADER.encode() + b"caf\xe9.png,ann,circle\n", "line 2, column task: this is not UTF-8"),
    ],
)
def test_it_refuses_binary_noise(shapes, write, content, message):
    with pytest.raises(CommandError, match=message):
        call_command("import_answers", write(content), project="shapes")


def test_it_says_that_a_file_or_a_project_is_not_there(shapes, tmp_path, write):
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        call_command("import_answers", str(tmp_path / "nowhere.csv"), project="shapes")
    with pytest.raises(CommandError, match="cannot be read: Is a directory"):
        call_command("import_answers", str(tmp_path), project="shapes")
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("import_answers", write("task,worker,label\n"), project="nowhere")


def test_a_concept_is_known_however_it_is_spelled(shapes, write):
    call_command(
        "import_answers", write(f"task,worker,label\n{RED},ann, CIRCLE \n"), project="shapes"
    )
    assert Answer.objects.get(question__concept__name="circle").value is True


def test_a_name_that_fits_two_pictures_is_refused(shapes, write):
    for folder, source in (("one", "red circle 00.png"), ("two", "blue circle 04.png")):
        Image.objects.filter(source=source).update(source=f"{folder}/a.png")
    with pytest.raises(CommandError, match=r"'a\.png' fits 2 pictures: give its path"):
        call_command(
            "import_answers", write("task,worker,label\na.png,ann,circle\n"), project="shapes"
        )

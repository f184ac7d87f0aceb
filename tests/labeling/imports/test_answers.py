"""A crowd's answers are imported from a CSV."""

import pytest
from django.core.management import CommandError, call_command

from labeling import answers
from labeling.concepts import edit
from labeling.imports import undo
from labeling.imports.answers import jobs
from labeling.models import (
    Annotator,
    Answer,
    Event,
    GoldMark,
    Image,
    Import,
    Question,
    RemovedAnswer,
)
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


def load(path: str, capsys, **options) -> str:
    """Import a file; return what the command says, with what it refused before the rest."""
    call_command("import_answers", path, project="shapes", **options)
    said = capsys.readouterr()
    return said.err + said.out


def answers_of(worker: str) -> dict[tuple[str, str], bool]:
    answers = Answer.objects.filter(annotator__pseudonym__endswith=f":{worker}")
    columns = "question__tile__image__source", "question__concept__name", "value"
    return {(source, concept): value for source, concept, value in answers.values_list(*columns)}


def test_a_label_is_a_yes_to_it_and_a_no_to_the_others(shapes, write, capsys):
    path = write(
        "task,worker,label,when\n"
        "red circle 00.png,ann,circle,1\n"
        "red square 12.png,ann,square,2\n"
        "red circle 00.png,ben,square,3\n"
    )
    said = load(path, capsys)
    assert "3 answers read: 3 new, 0 known already, 0 refused; by 2 people about 2 pictures" in said
    assert "Read as a table: task = task; worker = worker; label = label." in said
    assert Answer.objects.count() == 6
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
    assert "1 answer read: 0 new, 1 known already, 0 refused" in load(path, capsys)
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
        if annotator.pseudonym.endswith(":ben"):
            raise ConnectionError("the server is gone")
        return record(annotator=annotator, **columns)

    with monkeypatch.context() as patch, pytest.raises(ConnectionError):
        patch.setattr(answers, "record", dies)
        call_command("import_answers", path, project="shapes")
    assert Answer.objects.count() == 1
    report = load(path, capsys)
    assert "2 answers read: 1 new, 1 known already, 0 refused; by 2 people about 1 pic" in report
    assert Answer.objects.count() == 2


def test_every_answer_is_accounted_for(shapes, write, capsys, monkeypatch):
    path = write(TWO_PEOPLE.replace("RED", RED))
    record = answers.record

    def after_a_deletion(*, annotator, **columns):
        Question.objects.filter(concept__name="square").delete()
        return record(annotator=annotator, **columns)

    monkeypatch.setattr(answers, "record", after_a_deletion)
    said = load(path, capsys)
    assert "line 3, column label: its question was deleted during the import" in said
    assert "2 answers read: 1 new, 0 known already, 1 refused" in said


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
    call_command("import_answers", path, project="shapes")
    assert len(imported) == 2
    assert set(questions.values_list("answers_count", flat=True)) == {2}


HEADER = "task,worker,label\n"
GOOD = "blue circle 04.png,ann,circle\n"
RED = "red circle 00.png"
BY_CONCEPT = "task,worker,label,concept\n"
UNUSABLE = [
    ("", "it is empty"),
    ("task,worker\na,b\n", "which column holds the label.*there are: task, worker"),
    ("task,worker,label,concept,concept\n", "the column concept appears twice"),
    ("\x00\n", "line 1: this is not text"),
    ("[1, 2", "it is no JSON"),
    ("<html></html>", "it is no XML of CVAT"),
    ("<!DOCTYPE a><annotations/>", "declares entities"),
    (f"{HEADER}{RED},ann,yes\n", "nothing says of which concept: name it with --concept"),
]
REFUSED = [
    (f"{HEADER}{GOOD}nowhere.png,ann,circle\n", "line 3, column task: 'nowhere.png' is no picture"),
    (f"{HEADER}{GOOD}{RED},ann,cat\n", "line 3, column label: 'cat' is no concept"),
    (f"{HEADER}{GOOD}{RED},,circle\n", "line 3, column worker: the cell is empty"),
    (f"{HEADER}{GOOD}{RED},ann\n", "line 3: there are 2 cells where the header has 3"),
    (f"{HEADER}{GOOD}{RED},ann,circle,more\n", "line 3: there are 4 cells"),
    (f"{HEADER}{GOOD}\n{RED},{'x' * 61},circle\n", "line 4, column worker: the name is longer"),
    (f"{HEADER}{GOOD}{RED},a\x07n,circle\n", "line 3, column worker: the cell holds control"),
    (f'{HEADER}{GOOD}"red\ncircle",ann,circle\n', "line 3, column task: the cell holds control"),
    (f'{HEADER}{GOOD}"{RED},ann,circle\n', "line 3 and all that follow: this is not CSV"),
    (f"{HEADER}{GOOD}{'x' * 200_000},ann,circle\n", "line 3 and all that follow: this is not CSV"),
    (f"{BY_CONCEPT}{RED},ann,no,circle\n{RED},ann,yes,\n", "line 3, column concept: the cell is"),
    (f"{BY_CONCEPT}{RED},ann,no,circle\n{RED},ann,maybe,square\n", "'maybe' is neither yes nor no"),
    (f"{BY_CONCEPT}{RED},ann,no,circle\n{RED},ann,yes,cat\n", "column concept: 'cat' is no conc"),
    (
        f"{BY_CONCEPT}{RED},ann,yes,circle\n{RED},ann,no,circle\n",
        "line 3, column label: ann says the opposite in line 2",
    ),
    (
        f"{HEADER}{RED},ann,circle\n{RED},ann,square\n",
        "line 3, column label: ann says 'circle' of it in line 2",
    ),
    (
        HEADER.encode() + GOOD.encode() + b"caf\xe9.png,ann,circle\n",
        "line 3, column task: this is not UTF-8 text: save the file as UTF-8, or say its encoding",
    ),
]


@pytest.mark.parametrize(("content", "message"), UNUSABLE, ids=[each for _, each in UNUSABLE])
def test_a_file_that_cannot_be_used_is_refused_with_advice(shapes, write, content, message):
    with pytest.raises(CommandError, match=message):
        call_command("import_answers", write(content), project="shapes")
    assert not Answer.objects.exists() and not Annotator.objects.exists()


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=[each for _, each in REFUSED])
def test_one_bad_row_is_named_and_spoils_no_other(shapes, write, capsys, content, message):
    said = load(write(content), capsys)
    assert message in said
    assert "2 answers read: 1 new, 0 known already, 1 refused" in said
    assert Answer.objects.exists()


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=[each for _, each in REFUSED])
def test_with_strict_one_bad_row_spoils_all(shapes, write, content, message):
    with pytest.raises(CommandError) as refused:
        call_command("import_answers", write(content), project="shapes", strict=True)
    assert message in str(refused.value)
    assert not Answer.objects.exists() and not Annotator.objects.exists()


def test_a_worker_who_has_said_the_opposite_before_is_refused(shapes, write, capsys):
    load(write(f"{BY_CONCEPT}{RED},ann,yes,circle\n"), capsys)
    path = write(f"{BY_CONCEPT}{RED},ann,no,circle\n{RED},ann,yes,square\n")
    with pytest.raises(CommandError, match="line 2, column label: the opposite was recorded"):
        call_command("import_answers", path, project="shapes", strict=True)
    capsys.readouterr()
    said = load(path, capsys)
    assert "line 2, column label: the opposite was recorded before, and stands" in said
    assert "2 answers read: 1 new, 0 known already, 1 refused" in said
    assert answers_of("ann") == {(RED, "circle"): True, (RED, "square"): True}


def test_an_answer_given_twice_in_a_file_is_known(shapes, write, capsys):
    said = load(write(f"{HEADER}{RED},ann,circle\n{RED},ann,Circle\n"), capsys)
    assert "2 answers read: 1 new, 1 known already, 0 refused" in said
    assert "“Circle” and “circle” are one label." in said


def test_a_file_of_which_nothing_can_be_taken_ends_the_command_with_an_error(shapes, write):
    with pytest.raises(CommandError, match="Nothing could be taken"):
        call_command("import_answers", write(f"{HEADER}gone.png,ann,circle\n"), project="shapes")


def test_yes_and_no_may_be_about_one_concept(shapes, write, capsys):
    rows = f"{HEADER}{RED},ann,TRUE\n{RED},ben,True\n{RED},cas,true\n{RED},dan,FALSE\n"
    said = load(write(rows), capsys, concept="circle")
    assert "“TRUE”, “True” and “true” are one label." in said
    assert [answers_of(each)[RED, "circle"] for each in ("ann", "ben", "cas", "dan")] == [
        *(True, True, True, False)
    ]


@pytest.mark.parametrize(
    "data",
    [
        f"sep=;\nTask;Worker;Label\n{RED};Zoë;circle\n".encode(),
        f"\ufeffimage\tannotator\tanswer\n{RED}\tZoë\tcircle\n".encode("utf-16-le"),
        f"task,worker,label\n{RED},Zoë,circle\n,,\n".encode("cp1252"),
    ],
)
def test_tables_are_read_as_spreadsheets_write_them(shapes, write, capsys, data):
    load(write(data), capsys, encoding="cp1252")
    assert answers_of("Zoë")[RED, "circle"] is True


def test_the_columns_can_be_chosen(shapes, write, capsys):
    path = write(f"pic,task,who,shape\n{RED},7,ann,circle\n")
    load(path, capsys, columns="task=pic,worker=who,label=shape")
    assert answers_of("ann")[RED, "circle"] is True
    for columns, message in (
        ("task=nowhere", "there is no column nowhere"),
        ("colour=red", "Columns are chosen for task, worker"),
    ):
        with pytest.raises(CommandError, match=message):
            call_command("import_answers", path, project="shapes", columns=columns)


def test_it_says_that_a_file_or_a_project_is_not_there(shapes, tmp_path, write):
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        call_command("import_answers", str(tmp_path / "nowhere.csv"), project="shapes")
    with pytest.raises(CommandError, match="cannot be read: Is a directory"):
        call_command("import_answers", str(tmp_path), project="shapes")
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("import_answers", write("task,worker,label\n"), project="nowhere")


def test_a_name_that_fits_two_pictures_is_refused(shapes, write, capsys):
    for folder, source in (("one", "red circle 00.png"), ("two", "blue circle 04.png")):
        Image.objects.filter(source=source).update(source=f"{folder}/a.png")
    rows = "a.png,ann,circle\none\\a.png,ann,circle\n./two//a.png,ann,circle\n"
    said = load(write(f"{HEADER}{rows}"), capsys)
    assert "line 2, column task: 'a.png' fits 2 pictures: give its path or its SHA-256" in said
    assert set(answers_of("ann")) >= {("one/a.png", "circle"), ("two/a.png", "circle")}


def test_a_task_may_be_an_address_or_be_written_with_other_accents(shapes, write, capsys):
    Image.objects.filter(source=RED).update(source="photos/caf\u00e9.png")
    rows = (
        "https://bucket.example/data/photos/caf%C3%A9.png?v=1,ann,circle\n"
        "photos/cafe\u0301.png,ben,circle\n"
        "/data/local-files/?d=photos/caf\u00e9.png,cas,circle\n"
    )
    load(write(f"{HEADER}{rows}"), capsys)
    load(write(f"{HEADER}/data/upload/3/1a2b3c4d-caf\u00e9.png,dan,circle\n"), capsys)
    for worker in ("ann", "ben", "cas", "dan"):
        assert ("photos/caf\u00e9.png", "circle") in answers_of(worker)


def test_an_import_of_answers_is_a_row_with_a_report(shapes, write, capsys):
    load(write(f"{HEADER}{GOOD}nowhere.png,ann,circle\n"), capsys)
    record = Import.objects.get(kind="answers")
    assert (record.state, record.name) == ("done", "answers.csv")
    assert record.counts["answers"] == {"read": 2, "new": 1, "known": 0, "refused": 1}
    with record.report.open("rb") as file:
        report = file.read().decode()
    assert "line 3,answer refused,,'nowhere.png' is no picture" in report
    assert record.answers.count() == Answer.objects.count()
    assert Event.objects.filter(kind="import", message__contains="2 answers read: 1 new").exists()


def test_taking_an_import_back_takes_its_answers_back(shapes, write, capsys, alice):
    questions = Question.objects.filter(kind="concept", tile__image__source=RED)
    circle = questions.get(concept__name="circle")
    values = {circle.pk: True}
    answers.record(annotator=alice, values=values, reasons=dict.fromkeys(values, "wanted"))
    before = list(Question.objects.order_by("pk").values("pk", "state", "answers_count"))
    rows = "".join(f"{RED},worker {number},circle\n" for number in range(4))
    load(write(f"{HEADER}{rows}"), capsys)
    record = Import.objects.get(kind="answers")
    assert Question.objects.get(pk=circle.pk).answers_count == 5

    undone = undo.undo(record, None)
    assert (undone.state, undone.counts["archived"]) == ("undone", 4)
    assert list(Answer.objects.values_list("annotator", flat=True)) == [alice.pk]
    assert list(Question.objects.order_by("pk").values("pk", "state", "answers_count")) == before
    assert set(RemovedAnswer.objects.values_list("undone", flat=True)) == {record.pk}
    assert Annotator.objects.get(pseudonym__endswith=":worker 1").answers_count == 0
    assert "4 answers read: 4 new" in load(write(f"{HEADER}{rows}"), capsys)


def test_an_import_that_was_stopped_counts_its_own_answers_as_new(shapes, write, capsys):
    path = write(f"{HEADER}{GOOD}{RED},ben,circle\n")
    load(path, capsys)
    record = Import.objects.get(kind="answers")
    Answer.objects.filter(annotator__pseudonym__endswith=":ben").delete()
    Import.objects.filter(pk=record.pk).update(state="importing", source=path)
    held = Import.objects.acquire(record.pk)
    report = jobs.execute(held, renew=lambda done: None, by=None)
    assert (report.new["answer"], report.known["answer"]) == (2, 0)


def test_golden_answers_of_a_crowd_become_gold(shapes, write, capsys):
    path = write(
        "INPUT:image\tOUTPUT:shape\tGOLDEN:shape\tASSIGNMENT:worker_id\tASSIGNMENT:status\n"
        f"{RED}\tcircle\tcircle\tw1\tAPPROVED\n"
        f"{RED}\tsquare\tcircle\tw2\tREJECTED\n"
        "blue circle 04.png\tcircle\t\tw1\tAPPROVED\n"
    )
    Question.objects.filter(tile__image__source=RED).update(state="open", verdict=None)
    said = load(path, capsys)
    assert "line 3, column ASSIGNMENT:status: the assignment was rejected" in said
    assert "3 answers read: 2 new, 0 known already, 1 refused" in said
    assert "1 truth read: 1 new, 0 known already, 0 refused" in said
    mark = GoldMark.objects.get(imported_by__kind="answers")
    assert (mark.tile.image.source, str(mark.concept), mark.value) == (RED, "circle", True)

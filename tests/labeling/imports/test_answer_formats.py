"""Files of answers as each tool writes them: what is read of them, entry by entry."""

import json

import pytest

from labeling.imports.answers.entries import AnswersError, Given, Refused, Truth
from labeling.imports.answers.options import Options
from labeling.imports.answers.reading import Reader, reader


def read(data: bytes | str, **options) -> Reader:
    data = data if isinstance(data, bytes) else data.encode()
    return reader(data, Options.of(options), name="answers")


def given(data: bytes | str, **options) -> list[tuple[str, ...]]:
    """What is given: (task, worker, label, concept) of each answer."""
    entries = read(data, **options).entries()
    return [(e.task, e.worker, e.label, e.concept) for e in entries if isinstance(e, Given)]


def refused(data: bytes | str, **options) -> list[tuple[str, ...]]:
    entries = read(data, **options).entries()
    return [(e.where, e.column, e.reason) for e in entries if isinstance(e, Refused)]


MTURK = (
    '"HITId","HITTypeId","Title","AssignmentId","WorkerId","AssignmentStatus",'
    '"WorkTimeInSeconds","Input.image_url","Answer.category.label","Approve","Reject"\n'
    '"3A","T","What?","S1","A1X","Approved","9","https://b/1.jpg","cat","x",""\n'
    '"3A","T","What?","S2","A2X","Submitted","7","https://b/1.jpg","dog","",""\n'
    '"3B","T","What?","S3","A2X","Rejected","1","https://b/2.jpg","dog","","spam"\n'
)


def test_mechanical_turks_results_are_read():
    assert given(MTURK) == [
        ("https://b/1.jpg", "A1X", "cat", ""),
        ("https://b/1.jpg", "A2X", "dog", ""),
    ]
    assert refused(MTURK) == [("line 4", "AssignmentStatus", "the assignment was rejected")]
    assert read(MTURK).remark() == (
        "Read as Mechanical Turk's results: task = Input.image_url; worker = WorkerId; "
        "label = Answer.category.label."
    )


def test_mechanical_turks_boxes_and_json_name_what_was_ticked():
    boxes = (
        "HITId,WorkerId,Input.image,Answer.animal.cat,Answer.animal.dog\n"
        "1,w1,a.png,true,false\n1,w2,a.png,false,true\n1,w3,a.png,false,false\n"
    )
    assert given(boxes) == [("a.png", "w1", "cat", ""), ("a.png", "w2", "dog", "")]
    assert refused(boxes)[0][2] == "there is no answer"
    nested = json.dumps([{"category": {"label": "cat"}}]).replace('"', '""')
    ticked = json.dumps([{"animal": {"cat": True, "dog": False}}]).replace('"', '""')
    tasks = (
        "HITId,WorkerId,Input.image,Answer.taskAnswers\n"
        f'1,w1,a.png,"{nested}"\n1,w2,a.png,"{ticked}"\n'
    )
    assert given(tasks) == [("a.png", "w1", "cat", ""), ("a.png", "w2", "cat", "")]


def test_tables_and_lines_of_json_may_call_their_columns_as_people_do():
    data = "Image Name,Annotator-ID,Answer\na.png,1,yes\n"
    assert given(data) == [("a.png", "1", "yes", "")]
    rows = [{"task": "a.png", "worker": 1, "label": "yes"}, {"task": "b.png", "worker": 2}]
    lines = "\n".join(map(json.dumps, rows))
    assert given(lines) == [("a.png", "1", "yes", "")]
    assert refused(lines) == [("line 3", "label", "the cell is empty")]


def test_several_columns_of_yes_and_no_are_concepts():
    data = "HITId,WorkerId,Input.image,Answer.cat,Answer.dog\n1,w1,a.png,true,false\n"
    assert given(data) == [("a.png", "w1", "true", "cat"), ("a.png", "w1", "false", "dog")]


def test_which_of_several_columns_is_meant_is_asked():
    data = "HITId,WorkerId,Input.a,Input.b,Answer.x,Answer.y\n1,w1,a.png,2,red,fine\n"
    with pytest.raises(AnswersError, match=r"which column holds the task.*Input\.a, Input\.b"):
        read(data)
    with pytest.raises(AnswersError, match=r"which column holds the label.*Answer\.x, Answer\.y"):
        read(data, task="Input.a")
    assert given(data, task="Input.a", label="Answer.x") == [("a.png", "w1", "red", "")]


TOLOKA = (
    "INPUT:image\tOUTPUT:result\tGOLDEN:result\tHINT:text\tASSIGNMENT:link\t"
    "ASSIGNMENT:assignment_id\tASSIGNMENT:worker_id\tASSIGNMENT:status\tACCEPT:verdict\n"
    "/1.jpg\tcat\t\t\thttp://t\ta1\tw1\tAPPROVED\t+\n\n"
    "/1.jpg\tdog\tcat\t\thttp://t\ta2\tw2\tREJECTED\t-\n"
    '/2.jpg\t"[""cat"", ""dog""]"\tcat\t\thttp://t\ta3\tw1\tAPPROVED\t\n'
)


def test_tolokas_results_are_read_with_their_gold():
    assert given(TOLOKA) == [
        *(("/1.jpg", "w1", "cat", ""), ("/2.jpg", "w1", "cat", ""), ("/2.jpg", "w1", "dog", "")),
    ]
    truths = [entry for entry in read(TOLOKA).entries() if isinstance(entry, Truth)]
    assert [(truth.task, truth.label) for truth in truths] == [("/2.jpg", "cat")]
    assert refused(TOLOKA) == [("line 4", "ASSIGNMENT:status", "the assignment was rejected")]
    assert read(TOLOKA).remark().endswith("gold = GOLDEN:result. By tabs.")


def test_tolokas_yes_and_no_may_have_their_concept_as_an_input():
    data = (
        "INPUT:image\tINPUT:concept\tOUTPUT:result\tASSIGNMENT:worker_id\n"
        "1.jpg\tcat\ttrue\tw1\n1.jpg\tdog\tfalse\tw1\n"
    )
    assert given(data) == [("1.jpg", "w1", "true", "cat"), ("1.jpg", "w1", "false", "dog")]


def label_studio(*results: dict, by: object = 1, **annotation: object) -> str:
    """A task of Label Studio with one annotation."""
    return json.dumps(
        [
            {
                "id": 7,
                "data": {"image": "/data/upload/1/1a2b3c4d-a.png", "note": 3},
                "annotations": [
                    {"id": 5, "completed_by": by, "result": list(results), **annotation}
                ],
            }
        ]
    )


def choices(*names: str) -> dict:
    return {"type": "choices", "from_name": "animal", "value": {"choices": list(names)}}


def test_label_studios_choices_are_read_by_who_completed_them():
    task = "/data/upload/1/1a2b3c4d-a.png"
    assert given(label_studio(choices("cat", "dog"))) == [
        *((task, "1", "cat", ""), (task, "1", "dog", "")),
    ]
    for by, name in (({"id": 4, "email": "a@x"}, "4"), ({"email": "a@x"}, "a@x"), ("ann", "ann")):
        assert given(label_studio(choices("cat"), by=by)) == [(task, name, "cat", "")]
    assert given(label_studio(choices("cat"), by=None), worker_name="me") == [
        (task, "me", "cat", "")
    ]


def test_label_studios_regions_say_yes_and_nothing_of_other_labels():
    region = {"type": "rectanglelabels", "value": {"rectanglelabels": ["cat"], "x": 1}}
    (entry,) = read(label_studio(region)).entries()
    assert isinstance(entry, Given) and (entry.label, entry.exclusive) == ("cat", False)


def test_what_label_studio_says_else_is_refused_by_its_annotation():
    text = {"type": "textarea", "from_name": "note", "value": {"text": ["a cat"]}}
    where = "task 7, annotation 5"
    assert refused(label_studio(text)) == [(where, "note", "textarea is no label of a picture")]
    assert refused(label_studio(choices("cat"), was_cancelled=True))[0][2] == (
        "the annotator skipped it"
    )
    assert refused(label_studio())[0] == (where, "result", "there is no answer")
    assert "does not say who" in refused(label_studio(choices("cat"), by=None))[0][2]
    (truth,) = read(label_studio(choices("cat"), ground_truth=True)).entries()
    assert isinstance(truth, Truth)


@pytest.mark.parametrize("damage", [[1], [{"annotations": 3}], [{"data": {}, "annotations": [3]}]])
def test_damaged_tasks_of_label_studio_do_no_harm(damage):
    try:
        entries = list(read(json.dumps(damage)).entries())
    except AnswersError:
        return
    assert not [entry for entry in entries if isinstance(entry, Given)]


def test_label_studios_flat_json_and_its_table_are_read():
    row = {"id": 1, "image": "a.png", "choice": "cat", "annotator": 3, "annotation_id": 9}
    several = {**row, "choice": {"choices": ["cat", "dog"]}, "annotator": 4}
    assert given(json.dumps([row, several])) == [
        ("a.png", "3", "cat", ""),
        ("a.png", "4", "cat", ""),
        ("a.png", "4", "dog", ""),
    ]
    table = "annotation_id,annotator,choice,created_at,id,image,lead_time\n9,3,cat,x,1,a.png,2.5\n"
    assert given(table) == [("a.png", "3", "cat", "")]


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><task><id>1</id><assignee><username>ann</username></assignee></task>
<project><tasks><task><id>2</id><assignee>ben</assignee></task></tasks></project></meta>
<image id="0" name="a.png" task_id="1"><tag label="cat" source="manual"></tag></image>
<image id="1" name="b.png" task_id="2"><box label="dog" xtl="1" ytl="1" xbr="2" ybr="2"/></image>
<image id="2" name="c.png"><tag label="cat"><attribute name="worker">cas</attribute></tag>
<tag label="dog"></tag></image>
</annotations>"""


def test_cvats_tags_and_shapes_are_read_by_who_was_assigned():
    assert given(CVAT) == [
        *(("a.png", "ann", "cat", ""), ("b.png", "ben", "dog", ""), ("c.png", "cas", "cat", "")),
    ]
    assert refused(CVAT) == [
        ("image 2", "tag", "the file does not say who gave it: name whoever did")
    ]
    assert ("c.png", "me", "dog", "") in given(CVAT, worker_name="me")


def test_cvats_xml_that_is_cut_off_is_read_up_to_there():
    cut = CVAT[: CVAT.index('<image id="2"') + 20]
    assert len(given(cut)) == 2
    assert refused(cut)[-1][0] == "what follows" and "no XML" in refused(cut)[-1][2]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><annotations/>", "declares entities"),
        ("<html/>", "no XML of CVAT"),
        ("<annotations", "no XML"),
        ('[{"id": 1', "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("   ", "is empty"),
    ],
)
def test_what_is_none_of_these_is_refused_in_a_sentence(data, message):
    with pytest.raises(AnswersError, match=f"answers: .*{message}.*\\.$"):
        read(data)


def test_a_cell_that_was_written_for_spreadsheets_is_the_text_again():
    assert given("task,worker,label\n'=a.png,-1,'@cat\n") == [("=a.png", "-1", "@cat", "")]

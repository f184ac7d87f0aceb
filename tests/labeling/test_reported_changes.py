"""What an answer to a known question seems to change is what open ones change."""

from labeling import reported_changes
from labeling.reported_changes import Answered, ReportedChange

CERTAIN, DISPUTED, NOTHING = (
    ReportedChange(settled=True),
    ReportedChange(disputed=True),
    ReportedChange(),
)
BOB = {"annotator": 1, "project": 1, "passed": True}


def test_a_known_question_changes_what_an_open_one_with_the_same_answer_changes():
    answered = [
        Answered(1, True, False, CERTAIN),
        Answered(2, False, False, DISPUTED),
        Answered(3, True, True, NOTHING),
        Answered(4, False, True, NOTHING),
    ]
    assert reported_changes.reported(answered, **BOB) == [CERTAIN, DISPUTED, CERTAIN, DISPUTED]


def test_it_changes_as_much_in_the_mean_and_the_same_each_time_it_is_asked():
    open_ones = [
        Answered(number, True, False, CERTAIN if number < 3 else NOTHING) for number in range(6)
    ]
    known = [Answered(number, True, True, NOTHING) for number in range(10, 1_010)]
    told = reported_changes.reported([*open_ones, *known], **BOB)
    assert 420 < sum(change.settled for change in told[6:]) < 580
    assert told == reported_changes.reported([*open_ones, *known], **BOB)


def test_alone_it_changes_what_single_open_questions_of_the_project_changed_of_late(db):
    gold = Answered(9, True, True, NOTHING)
    assert reported_changes.reported([gold], **BOB) == [NOTHING], (
        "nothing is known of the project yet"
    )
    assert reported_changes.reported([Answered(1, True, False, CERTAIN)], **BOB) == [CERTAIN]
    assert reported_changes.reported([gold], **BOB) == [CERTAIN]
    assert reported_changes.reported([gold], annotator=1, project=2, passed=True) == [NOTHING]


def test_where_all_is_known_nothing_changes():
    known = [Answered(number, True, True, NOTHING) for number in range(3)]
    assert reported_changes.reported(known, **BOB) == [NOTHING] * 3


def test_a_challenge_that_failed_seems_to_change_as_much_as_others_did():
    """Or a wrong answer on purpose would tell whether the tile is known."""
    passed = [
        Answered(1, True, False, CERTAIN),
        Answered(2, False, False, DISPUTED),
        Answered(3, True, True, NOTHING),
    ]
    for _ in range(reported_changes.LEAST):
        reported_changes.reported(passed, **BOB)
    failed = [Answered(number, number % 2 == 0, number == 4, NOTHING) for number in (4, 5, 6)]
    told = reported_changes.reported(failed, annotator=2, project=1, passed=False)
    assert told == [CERTAIN, DISPUTED, CERTAIN]


def test_a_single_change_is_not_repeated_until_another_comes(db):
    """Or whoever says no of gold would see the only dispute again and again."""
    reported_changes.reported([Answered(1, False, False, DISPUTED)], **BOB)
    for number in range(2, 2 + 3 * reported_changes.REMEMBERED):
        reported_changes.reported([Answered(number, True, False, NOTHING)], **BOB)
    told = [
        reported_changes.reported([Answered(number, False, True, NOTHING)], **BOB)[0]
        for number in range(1_000, 3_000)
    ]
    assert 0 < told.count(DISPUTED) < 100

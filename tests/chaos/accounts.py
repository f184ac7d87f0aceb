"""What was acknowledged against what is there: nothing lost, nothing doubled."""

from collections import Counter
from typing import cast

from labeling.models import Answer, Challenge
from tests.chaos import work as work_module
from tests.chaos.scenarios import Watch
from tests.chaos.work import Work


def settle(watch: Watch, work: Work) -> list[str]:
    """Return what is wrong, a sentence each; print what there was."""
    entries = list(watch.entries())
    print(f"\nBook: {dict(Counter(str(entry['event']) for entry in entries))}")
    refused = Counter(str(entry["body"]) for entry in entries if entry["event"] == "refused")
    if refused:
        print(f"Refused: {dict(refused)}")
    problems = _answers([entry for entry in entries if entry["event"] == "acknowledged"])
    for kind, counts in work_module.states(work).items():
        print(f"{kind}: {dict(counts)}")
        bad = {state: count for state, count in counts.items() if state not in GOOD}
        problems += [f"{count} × {kind} {state}" for state, count in bad.items()]
    return problems + work_module.broken(work)


GOOD = {"succeeded", "ready"}


def _answers(acknowledged: list[dict[str, object]]) -> list[str]:
    """Compare the acknowledged challenges with their answers in the database."""
    ids = [str(entry["challenge"]) for entry in acknowledged]
    tiles = {str(entry["challenge"]): entry["tiles"] for entry in acknowledged}
    problems = [f"Challenge {id} was acknowledged twice" for id, n in Counter(ids).items() if n > 1]
    kept = {row.pk.hex: row for row in Challenge.objects.filter(pk__in=ids)}
    problems += [f"Challenge {id} is not there" for id in tiles if id not in kept]
    answers: dict[str, Counter[tuple[int, bool]]] = {id: Counter() for id in kept}
    rows = Answer.objects.filter(challenge__in=ids)
    for pk, *answer in rows.values_list("challenge", "question", "value"):
        answers[pk.hex][tuple(answer)] += 1
    selected = {str(entry["challenge"]): entry["selected"] for entry in acknowledged}
    for id, row in kept.items():
        given = _given(row, cast(list[int], selected[id]))
        count = answers[id].total()
        if count != given.total():
            problems.append(f"Challenge {id}: {count} answers of {given.total()} are kept")
        elif answers[id] != given:
            problems.append(f"Challenge {id}: its answers are not those that were given")
    total = sum(each.total() for each in answers.values())
    print(f"Acknowledged: {len(ids)} challenges; answers kept: {total}")
    return problems


def _given(challenge: Challenge, selected: list[int]) -> "Counter[tuple[int, bool]]":
    """Return what somebody said of each question by selecting the tiles of these numbers."""
    asked = zip(challenge.questions, challenge.reasons, strict=True)
    return Counter(
        (question, number in selected)
        for number, (question, reason) in enumerate(asked, 1)
        if reason != Challenge.SHOWN
    )

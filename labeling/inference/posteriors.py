"""What all answers of a project add up to: read as arrays, inferred at once, written in batches.

Nobody waits longer than a batch: questions and annotators are held a few hundred at a time. What
was answered or decided since the reading is believed anew by its answers, with what was learned.
"""

from collections.abc import Iterator

import numpy as np
from django.db import transaction

from labeling import answers, question_state
from labeling.aggregation import binary, online_tempering
from labeling.inference import annotators
from labeling.inference.arrays import Asked, Bools, Found, Given, Ids, read
from labeling.models import Annotator, Project, Question, Recomputation

NOTICEABLE = 1e-3  # smaller changes of a probability are not written
TUNED_BY = 5_000  # questions by which the temper is tuned


def update(recomputation: Recomputation, *, newest: int) -> tuple[int, dict[int, float]]:
    """Set all that is believed, by all answers up to `newest`.

    Gives how many beliefs changed, and by gold question its probability as if it were not known.
    """
    asked, given = read(recomputation.project, newest=newest)
    recomputation.renew()
    if not len(asked.id):
        return 0, {}
    found = _find(asked, given, recomputation)
    recomputation.renew()
    changed = _write(asked, found, recomputation)
    annotators.update_accuracies(asked, given, found, newest=newest, recomputation=recomputation)
    gold = asked.gold & (found.count > 0)
    leave_one_out = found.inferred.leave_one_out[gold].tolist()
    return changed, dict(zip(asked.id[gold].tolist(), leave_one_out, strict=True))


def _find(asked: Asked, given: Given, recomputation: Recomputation) -> Found:
    inferred = binary.infer(
        given.question,
        given.annotator,
        given.value,
        prior=asked.prior,
        verdict=asked.verdict,
        gold=asked.gold,
        suspect=_suspect(given),
        annotators=len(given.annotators),
    )
    found = Found(
        inferred,
        np.bincount(given.question, minlength=len(asked.id)),
        np.bincount(given.question, given.value, len(asked.id)).astype(np.int64),
        {
            int(given.annotators[who]): int(given.id[first])
            for who, first in inferred.change_points.items()
        },
    )
    _tune(asked, given, found, recomputation)
    return found


def _suspect(given: Given) -> Bools:
    """(N,) whether each answer was given while its annotator was suspect."""
    windows = Annotator.objects.filter(suspect_from__isnull=False).values_list(
        "pk", "suspect_from", "suspect_to"
    )
    first = np.full(len(given.annotators), np.iinfo(np.int64).max)
    last = first.copy()
    known = {pk: (start, end) for pk, start, end in windows}
    for place, pk in enumerate(given.annotators.tolist() if known else []):
        if pk in known:
            first[place] = known[pk][0]
            last[place] = known[pk][1] or last[place]
    inside: Bools = given.id >= first[given.annotator]
    return inside & (given.id < last[given.annotator])


def _tune(asked: Asked, given: Given, found: Found, recomputation: Recomputation) -> None:
    """Have answers tempered, as they come, in such a way that they arrive where these arrived."""
    open_ones = np.flatnonzero((asked.verdict < 0) & (found.count > 0))
    drawn = np.random.default_rng(0).permutation(open_ones)[:TUNED_BY]
    place = np.full(len(asked.id), -1)
    place[drawn] = np.arange(len(drawn))
    inferred = found.inferred
    used = (place[given.question] >= 0) & ~inferred.suspect
    people = given.annotator[used]
    ratios = online_tempering.evidence(
        inferred.sensitivity[people], inferred.specificity[people], given.value[used]
    )
    temper = online_tempering.fit_tempering(
        place[given.question[used]], ratios, asked.prior[drawn], inferred.probability[drawn]
    )
    recomputation.renew(strength=temper.strength, ambiguity=temper.ambiguity)


def _write(asked: Asked, found: Found, recomputation: Recomputation) -> int:
    """Write what changed, a batch at a time, and what would be judged otherwise."""
    rules = _rules(recomputation.project)
    differs = np.abs(found.inferred.probability - asked.probability) > NOTICEABLE
    differs |= (found.count != asked.count) | (found.yes != asked.yes)
    if recomputation.settling_rules != rules:
        differs[:] = True
    changed = 0
    for batch in _batches(np.flatnonzero(differs)):
        changed += _write_batch(batch, asked, found)
        recomputation.renew()
    recomputation.renew(settling_rules=rules)
    return changed


def _write_batch(places: Ids, asked: Asked, found: Found) -> int:
    place = dict(zip(asked.id[places].tolist(), places.tolist(), strict=True))
    with transaction.atomic():
        questions = question_state.locked(list(place))
        counts = answers.counted(list(place))
        before = [_held(question) for question in questions]
        read_then = found.count, found.yes, asked.verdict
        late = []
        for question in questions:
            at = place[question.pk]
            count, yes = counts.get(question.pk, (0, 0))
            verdict = -1 if question.verdict is None else int(question.verdict)
            if [count, yes, verdict] != [int(c[at]) for c in read_then]:
                late.append(question)
                continue
            question.probability = float(found.inferred.probability[at])
            question.answers_count, question.yes_count = count, yes
            question_state.update_state(question)
        answers.recount(late)
        changed = [q for q, was in zip(questions, before, strict=True) if _held(q) != was]
        question_state.save(changed)
    return len(changed)


def _held(question: Question) -> tuple[object, ...]:
    belief = round(question.probability, 4), round(question.priority, 4)
    return *belief, question.state, question.answers_count, question.yes_count


def _rules(project: Project) -> list[object]:
    """By what questions are judged, besides their answers."""
    fields = "settle_at", "answers_min", "answers_cap", "answer_cost"
    values = project.concepts.order_by("pk").values_list("pk", "value")
    return [[getattr(project, name) for name in fields], [list(pair) for pair in values]]


def _batches(places: Ids) -> Iterator[Ids]:
    for start in range(0, len(places), answers.BATCH):
        yield places[start : start + answers.BATCH]

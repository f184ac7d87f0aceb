"""What all answers of a project add up to: read as arrays, inferred at once, written in batches.

Nobody waits longer than a batch: questions and annotators are held a few hundred at a time. What
was answered or decided since the reading is believed anew by its answers, with what was learned.
"""

from collections.abc import Iterator

import numpy as np
from django.db import transaction

from labeling import answers, beliefs, rating
from labeling.aggregation import Aggregate, aggregate, drift, tuning
from labeling.models import Annotator, Project, Question
from labeling.reading import Asked, Bools, Floats, Found, Given, Ids, read
from labeling.recomputations import Work

NOTICEABLE = 1e-3  # smaller changes of a probability are not written
TUNED_BY = 5_000  # questions by which the temper is tuned


def believe(work: Work, *, newest: int) -> int:
    """Set all that is believed, by all answers up to `newest`. Gives how many beliefs changed."""
    asked, given = read(work.project, newest=newest)
    work.beat()
    if not len(asked.id):
        return 0
    found = _find(asked, given, work)
    work.beat()
    changed = _write(asked, found, work)
    rating.rate(asked, given, found, newest=newest, work=work)
    return changed


def _find(asked: Asked, given: Given, work: Work) -> Found:
    suspect = _suspect(given)
    result = _infer(asked, given, suspect)
    turned = _turned(asked, given, suspect, result)
    if turned:
        for annotator, first in turned.items():
            who = np.searchsorted(given.annotators, annotator)
            suspect |= (given.annotator == who) & (given.id >= first)
        result = _infer(asked, given, suspect)
    probability, sensitivity, specificity = _by_place(asked, given, result)
    found = Found(
        probability,
        np.bincount(given.question, minlength=len(asked.id)),
        np.bincount(given.question, given.value, len(asked.id)).astype(np.int64),
        sensitivity,
        specificity,
        suspect,
        turned,
    )
    _tune(asked, given, found, work)
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


def _infer(asked: Asked, given: Given, suspect: Bools) -> Aggregate | None:
    """The batch method's result; answers from a turn on are taken to be another annotator's."""
    if not len(given.id):
        return None
    places = np.unique(given.question)
    prior = asked.prior[places].clip(1e-6, 1 - 1e-6)
    known = places[asked.verdict[places] >= 0]
    return aggregate(
        given.question,
        given.annotator + suspect * len(given.annotators),
        given.value.astype(np.int8),
        classes=[0, 1],
        gold=dict(zip(known.tolist(), asked.verdict[known].tolist(), strict=True)),
        prior=np.stack([1 - prior, prior], 1),
    )


def _by_place(
    asked: Asked, given: Given, result: Aggregate | None
) -> tuple[Floats, Floats, Floats]:
    probability = asked.prior.copy()
    coins = np.full((len(given.annotators), 2), np.nan)
    if result is not None:
        probability[result.tasks] = result.posterior[:, 1]
        usual = result.workers < len(given.annotators)
        coins[result.workers[usual]] = np.diagonal(result.confusion[usual], axis1=1, axis2=2)
    probability = np.where(asked.verdict >= 0, asked.verdict, probability)
    return probability, coins[:, 1], coins[:, 0]


def _turned(asked: Asked, given: Given, suspect: Bools, result: Aggregate | None) -> dict[int, int]:
    """Annotators whose answers turned bad, and their first bad answer, both by id."""
    if result is None:
        return {}
    right = _right(asked, given, result)
    ever = np.bincount(given.annotator, suspect, len(given.annotators)) > 0
    looked = ~ever[given.annotator]
    ids, people = given.id[looked], given.annotator[looked]
    found = drift.turns(people, right[looked], workers=len(given.annotators))
    return {
        int(given.annotators[place]): int(ids[people == place][found[place]])
        for place in np.flatnonzero(found >= 0).tolist()
    }


def _right(asked: Asked, given: Given, result: Aggregate) -> Floats:
    """(N,) the probability that each answer was right, by what the others said."""
    rows = np.searchsorted(result.tasks, given.question)
    yes = result.posterior[rows, 1].clip(1e-6, 1 - 1e-6)
    coins = result.confusion[
        np.searchsorted(result.workers, given.annotator).clip(max=len(result.workers) - 1)
    ]
    own = tuning.evidence(coins[:, 1, 1], coins[:, 0, 0], given.value)
    count = np.bincount(given.question, minlength=len(asked.id))[given.question]
    share = 0.7 / (1 + 0.1 * (count - 1))
    others = 1 / (1 + np.exp(share * own - np.log(yes / (1 - yes))))
    right: Floats = np.where(given.value, others, 1 - others)
    right[count == 1] = 0.5
    verdict = asked.verdict[given.question]
    return np.where(verdict >= 0, (verdict == 1) == given.value, right)


def _tune(asked: Asked, given: Given, found: Found, work: Work) -> None:
    """Have answers tempered, as they come, in such a way that they arrive where these arrived."""
    open_ones = np.flatnonzero((asked.verdict < 0) & (found.count > 0))
    drawn = np.random.default_rng(0).permutation(open_ones)[:TUNED_BY]
    place = np.full(len(asked.id), -1)
    place[drawn] = np.arange(len(drawn))
    used = (place[given.question] >= 0) & ~found.suspect
    people = given.annotator[used]
    ratios = tuning.evidence(
        found.sensitivity[people], found.specificity[people], given.value[used]
    )
    temper = tuning.tuned(
        place[given.question[used]], ratios, asked.prior[drawn], found.probability[drawn]
    )
    work.beat(strength=temper.strength, ambiguity=temper.ambiguity)


def _write(asked: Asked, found: Found, work: Work) -> int:
    """Write what changed, a batch at a time, and what would be judged otherwise."""
    rules = _rules(work.project)
    differs = np.abs(found.probability - asked.probability) > NOTICEABLE
    differs |= (found.count != asked.count) | (found.yes != asked.yes)
    if work.row().rules != rules:
        differs[:] = True
    changed = 0
    for batch in _batches(np.flatnonzero(differs)):
        changed += _write_batch(batch, asked, found)
        work.beat()
    work.beat(rules=rules)
    return changed


def _write_batch(places: Ids, asked: Asked, found: Found) -> int:
    place = dict(zip(asked.id[places].tolist(), places.tolist(), strict=True))
    with transaction.atomic():
        questions = beliefs.locked(list(place))
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
            question.probability = float(found.probability[at])
            question.answers_count, question.yes_count = count, yes
            beliefs.judge(question)
        answers.recount(late)
        changed = [q for q, was in zip(questions, before, strict=True) if _held(q) != was]
        beliefs.save(changed)
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

"""Who passes: a sequential test of "an attentive person" against "answers without looking".

Round by round the evidence is a likelihood ratio. Above it stands what an attentive person would
answer, of unknown sensitivity and specificity; below, the mean of the same likelihood over all
orders in which the known truths of the round might have been shown. Whoever answers without
looking, by whatever rule, meets each order alike: the ratio's mean is then 1, and by Ville's
inequality the chance that it ever reaches 1/α is α at most. That holds exactly as long as the tiles
of a round are shown in an order drawn at random, even where some known truths are wrong.

A. Wald, "Sequential tests of statistical hypotheses", Ann. Math. Stat. 16 (1945); J. Ville, "Étude
critique de la notion de collectif" (1939); the ratio to permutations: V. Vovk and R. Wang,
"E-values: calibration, combination and applications", Ann. Stat. 49 (2021).
"""

import enum
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv  # type: ignore[import-untyped]

# How rarely somebody may pass who answers without looking.
BLIND_PASSES = {"easy": 1e-3, "normal": 1e-4, "hard": 1e-5}
# Evidence in nats with which an attempt passes, by the site's difficulty.
THRESHOLDS: Mapping[str, float] = MappingProxyType(
    {difficulty: -math.log(rate) for difficulty, rate in BLIND_PASSES.items()}
)
# At the grid less is enough: the bound holds for whoever looks in whenever they like, and there are
# two looks. Half a million attempts of each kind that does not look stay below these rates
# (`tests/benchmarks/captcha_who_passes.py`), and people who see all rightly may pass at once.
GRID_SLACK = 1.5  # nats
GRID_THRESHOLDS: Mapping[str, float] = MappingProxyType(
    {difficulty: evidence - GRID_SLACK for difficulty, evidence in THRESHOLDS.items()}
)
# Evidence for a person against the project's own model below which an attempt is the model's.
MODEL_LIMIT = -5.0
# The most evidence that one more round can bring: an attempt that lacks more fails at once.
MOST_OF_A_ROUND = 10.0

# What a round asks whose truth is known: at least and at most, drawn evenly, so that the number
# tells nothing. The rest is unknown, and becomes labels.
KNOWN_TILES = 12, 15  # of 16
TRUE_SHARE = 0.45, 0.35, 0.65  # of the known tiles that are true: usual, least, most
# Share of the known tiles that the project's model gets wrong, where there are such.
AGAINST_MODEL = 0.15

# Beta priors, (right, wrong), of an attentive person: of "yes" where the truth is yes, of "no"
# where it is no, and of the right one of several sentences.
SENSITIVITY, SPECIFICITY, CHOICE = (7.0, 1.0), (18.0, 1.0), (12.0, 1.0)
GOLD_ERROR = 0.02  # share of known truths that are wrong
NODES = 12  # of the quadrature over each of them

UNKNOWN = -1
OPTIONS = 3  # neither of two sentences, the first, the second

MODEL_SLIP = 0.02  # how often an answer differs from what the model's threshold says
MODEL_THRESHOLDS = 0.2, 0.35, 0.5, 0.65, 0.8  # of "yes", alike in probability

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Outcome(enum.Enum):
    PASSED = "passed"
    ANOTHER = "another"  # round is to be asked
    FAILED = "failed"


@dataclass(frozen=True)
class Evidence:
    """Log-likelihood ratios of an attentive person, in nats."""

    blind: float = 0.0  # to answers that do not look
    model: float = 0.0  # to the answers of the project's own model


def decide(evidence: Evidence, *, threshold: float, last_round: bool) -> Outcome:
    """Return what follows from all rounds that were answered.

    Answers that are clearly those of the project's model do not pass however right they are.
    """
    is_model = evidence.model < MODEL_LIMIT
    if evidence.blind >= threshold and not is_model:
        return Outcome.PASSED
    if last_round or is_model or evidence.blind < threshold - MOST_OF_A_ROUND:
        return Outcome.FAILED
    return Outcome.ANOTHER


def draw_known(random: Random) -> tuple[int, int]:
    """Draw how many tiles of a round are known, and how many of those are true."""
    known = random.randint(*KNOWN_TILES)
    usual, least, most = TRUE_SHARE
    true = sum(random.random() < usual for _ in range(known))
    return known, min(max(true, math.ceil(least * known)), math.floor(most * known))


def grid_evidence(
    values: Sequence[bool],
    known: Sequence[float],
    predicted: Sequence[float],
    *,
    first_round: int | None = None,
) -> Evidence:
    """Return the evidence of answers to tiles.

    values: yes or no, of one round or of both. known: the probability that the truth is yes,
    UNKNOWN where nothing is known. predicted: the same by the project's model. first_round: how
    many of them the first round asked; None where all are of one.
    """
    value, truth = np.array(values, bool), np.array(known, float)
    model = np.array(predicted, float)
    (sensitivity, specificity), log_prior = _ability(SENSITIVITY, SPECIFICITY)
    truth_of_gold = truth.clip(GOLD_ERROR, 1 - GOLD_ERROR)[:, None]
    yes = truth_of_gold * (sensitivity + specificity - 1) + 1 - specificity  # (N, G)
    is_known = truth >= 0
    blind, log_ability = 0.0, log_prior
    for part in _rounds(len(value), first_round):
        mask = is_known[part]
        answered, likely = value[part][mask], yes[part][mask]
        given = log_ability + _log_likelihood(answered, likely)
        blind += _log_sum(given) - _log_sum(log_ability + _log_mean_over_orders(answered, likely))
        log_ability = given - _log_sum(given)  # the second round is judged by what the first tells
    judged = is_known & (model >= 0)
    person = _log_sum(log_prior + _log_likelihood(value[judged], yes[judged]))
    return Evidence(blind, person - _log_likelihood_of_model(value[judged], model[judged]))


def text_evidence(choices: Sequence[int], right: Sequence[int]) -> Evidence:
    """Return the evidence of choices between two sentences and neither, of one round or of both.

    choices: 0 for neither, 1 or 2. right: the same; UNKNOWN where nothing is known. That holds
    against every habit if which option is right was drawn evenly from all three.
    """
    is_known = np.array(right, np.intp) >= 0
    hit = (np.array(choices, np.intp) == np.array(right, np.intp))[is_known]
    (accuracy,), log_prior = _ability(CHOICE)
    wrong = (1 - accuracy) / (OPTIONS - 1)
    accuracy, wrong = (
        accuracy * (1 - GOLD_ERROR) + wrong * GOLD_ERROR,
        wrong * (1 - GOLD_ERROR / (OPTIONS - 1)) + accuracy * GOLD_ERROR / (OPTIONS - 1),
    )
    hits, misses = int(hit.sum()), int((~hit).sum())
    person = _log_sum(log_prior + hits * np.log(accuracy) + misses * np.log(wrong))
    return Evidence(person + len(hit) * math.log(OPTIONS))


def _log_likelihood(value: Bools, yes: Floats) -> Floats:
    """Return (G,) that of answers, by (N, G) the probability of yes."""
    logs: Floats = np.log(np.where(value[:, None], yes, 1 - yes)).sum(0)
    return logs


def _log_mean_over_orders(value: Bools, yes: Floats) -> Floats:
    """Return (G,) the log of the mean likelihood over all orders of the truths.

    It is the coefficient of x^m in ∏_i (1 - yes_i + yes_i x), over the m-subsets of N answers,
    where m of them are yes.
    """
    count = int(value.sum())
    paths = np.zeros((count + 1, yes.shape[1]))
    paths[0] = 1
    for each in yes:
        paths[1:] = paths[1:] * (1 - each) + paths[:-1] * each
        paths[0] *= 1 - each
    logs: Floats = np.log(paths[count]) - math.log(math.comb(len(yes), count))
    return logs


def _log_likelihood_of_model(value: Bools, predicted: Floats) -> float:
    """Return that of answers which follow the model's probabilities.

    They may say yes from any of several probabilities on, with few slips, or be drawn by them.
    """
    probability = predicted.clip(MODEL_SLIP, 1 - MODEL_SLIP)
    ways = [np.where(probability >= t, 1 - MODEL_SLIP, MODEL_SLIP) for t in MODEL_THRESHOLDS]
    yes = np.stack([probability, *ways], 1)
    return _log_sum(_log_likelihood(value, yes)) - math.log(yes.shape[1])


def _rounds(count: int, first_round: int | None) -> Iterator[slice]:
    if first_round is None or first_round >= count:
        yield slice(count)
    else:
        yield slice(first_round)
        yield slice(first_round, count)


@functools.cache
def _ability(*betas: tuple[float, float]) -> tuple[tuple[Floats, ...], Floats]:
    """Return a grid of abilities, (G,) each, and (G,) their log prior, alike for all."""
    middles = (np.arange(NODES) + 0.5) / NODES
    axes = np.meshgrid(*(betaincinv(right, wrong, middles) for right, wrong in betas))
    abilities = tuple(axis.ravel() for axis in axes)
    return abilities, np.full(len(abilities[0]), -math.log(len(abilities[0])))


def _log_sum(logs: Floats) -> float:
    return float(np.logaddexp.reduce(logs))

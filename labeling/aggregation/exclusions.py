"""Which concepts rule each other out on a picture, learned from answers; and what follows of that.

Two concepts with prevalences p and q are on the same picture in a share L·p·q of the pictures,
where L, their *lift*, is 1 if they are independent and 0 if a cat is never a dog. With r and s, the
odds that answers give each of them, what was answered about a picture has the likelihood

    1 - p - q + Lpq + (p - Lpq) r + (q - Lpq) s + Lpq rs

whatever else is true. A lift is one of a few values, and how frequent each of these is among a
project's pairs is learned with them (empirical Bayes: H. Robbins, 1956), from a prior that holds
most pairs for independent.

Concepts that all rule each other out are a *group*. A picture shows one of them at most, each as
probably as it was believed before, or else, with the probability of the group's overlap, they are
independent: so two concepts on which people insist are both believed, and two that are as probable
as before share pictures as often as was learned.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]

LIFTS = np.array([0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.5, 5.0])
# What is known of them before any answer, in pairs of concepts: independence is the rule.
PAIRS = np.array([0.1, 0.1, 0.1, 0.1, 0.2, 1.0, 2.5, 1.0, 0.3, 0.1])
EXCLUSIVE = 0.35  # mean lift up to which two concepts rule each other out …
STILL_EXCLUSIVE = 0.5  # … and up to which they go on to
OWN = math.log(5)  # odds that a concept's own pairs must give for it, whatever others are like
FEWEST = 30  # pictures with two such questions, without which nothing is learned
ROUNDS = 100  # of learning how frequent each lift is
LARGEST = 14.0  # log-odds of evidence, either way
NEVER = float(LIFTS[0])  # overlap of two of which somebody says that no picture shows both
MOST = 6.0  # log-odds that are added to another concept, either way
NONE = 0.01  # least probability that a picture shows none of a group
VALID = 0.98  # share of a concept's pictures that may show another one, of those that can
BLOCK = 100_000  # pairs whose likelihoods are held together


Pair = tuple[int, int]  # of concepts, the lower number first


class Group(NamedTuple):
    """Concepts of which a picture shows one at most, unless they are independent there."""

    concepts: tuple[int, ...]
    overlap: float  # probability that they are; the share of pictures of two of them follows
    by_hand: bool = False  # whether somebody said so


def learn(
    tile: Index,
    concept: Index,
    prior: Floats,
    evidence: Floats,
    *,
    concepts: int,
    earlier: Sequence[Group] = (),
) -> list[Group]:
    """Return the groups of concepts, by number, that rule each other out.

    tile, concept: (n,) of the questions of which people say anything; concept below `concepts`.
    prior: (n,) probability of yes before that, as if all concepts were independent.
    evidence: (n,) log-odds that answers, or a known truth, add.
    earlier: groups that were learned before, which are not given up as easily.
    """
    if (np.unique(tile, return_counts=True)[1] > 1).sum() < FEWEST:
        return []
    first, second, likelihood = _pairs(tile, concept, prior, evidence, concepts)
    own = np.zeros((concepts, concepts))
    own[first, second] = own[second, first] = _own(likelihood)
    most = np.full((concepts, concepts), EXCLUSIVE)
    for group in earlier:
        most[np.ix_(group.concepts, group.concepts)] = STILL_EXCLUSIVE
    lift = np.ones((concepts, concepts))
    lift[first, second] = lift[second, first] = _posterior(likelihood) @ LIFTS
    return [_group(members, lift) for members in _cliques(lift <= most, own)]


def overruled(groups: Sequence[Group], together: set[Pair], never: set[Pair]) -> list[Group]:
    """Return the groups as somebody who knows better has them; two share one group at most.

    together: pairs of which a picture may show both. Who is left out of a group for one goes on to
    rule the others out, each by itself. never: pairs of which it never does.
    """
    found: list[Group] = []
    for group in groups:
        kept: list[int] = []
        for concept in group.concepts:
            if not any((member, concept) in together for member in kept):
                kept.append(concept)
        if len(kept) > 1:
            found.append(group._replace(concepts=tuple(kept)))
        pairs = set(combinations(group.concepts, 2)) - together - set(combinations(kept, 2))
        found += [group._replace(concepts=pair) for pair in sorted(pairs)]
    known = {pair for group in found for pair in combinations(group.concepts, 2)}
    return found + [Group(pair, NEVER, by_hand=True) for pair in sorted(never - known)]


def shifts(prior: Floats, evidence: Floats, overlap: float) -> Floats:
    """Return (n, k) the log-odds that the others of a group add to each of its concepts.

    prior: (n, k) probabilities of n pictures and the group's k concepts, as if independent.
    evidence: (n, k) log-odds that answers, or known truths, add; 0 where nobody has answered.

    What is added to a concept does not depend on its own evidence. Where nobody has answered, it
    is 0; and an answer changes no other concept by more than its own evidence.
    """
    before = _cavity(prior, np.zeros_like(prior), overlap)
    after = _cavity(prior, evidence.clip(-LARGEST, LARGEST), overlap)
    added: Floats = (after - before).clip(-MOST, MOST)
    return added


def _cavity(prior: Floats, evidence: Floats, overlap: float) -> Floats:
    """Return (n, k) log-odds of each concept by the evidence of all others."""
    chance = prior.clip(1e-6, 1 - 1e-6)
    total = chance.sum(1, keepdims=True)
    none = np.maximum(1 - total, NONE)
    norm = total + none
    # One at most: log-weights of the others, and of none, without the concept itself.
    powers = chance / norm * np.exp(evidence)
    one = chance / norm
    other = none / norm + (powers.sum(1, keepdims=True) - powers).clip(0)
    # Independent: the likelihood of the others' evidence.
    each = np.log1p(chance * np.expm1(evidence))
    free = np.exp((each.sum(1, keepdims=True) - each).clip(-600, 600))
    yes = (1 - overlap) * one + overlap * chance * free
    no = (1 - overlap) * other + overlap * (1 - chance) * free
    log_odds: Floats = np.log(yes) - np.log(no)
    return log_odds


def _pairs(
    tile: Index, concept: Index, prior: Floats, evidence: Floats, concepts: int
) -> tuple[Index, Index, Floats]:
    """Return the pairs (m,) of concepts that share a tile, and (m, lifts) their log-likelihoods."""
    order = np.lexsort((concept, tile))
    tile, concept = tile[order], concept[order]
    chance = prior[order].clip(1e-6, 1 - 1e-6)
    odds = np.exp(evidence[order].clip(-LARGEST, LARGEST))
    total = np.zeros((concepts * concepts, len(LIFTS)))
    seen = np.zeros(concepts * concepts, bool)
    for offset in range(1, len(tile)):
        (left,) = np.nonzero(tile[offset:] == tile[:-offset])
        if not len(left):
            break
        for start in range(0, len(left), BLOCK):
            i = left[start : start + BLOCK]
            j = i + offset
            key = concept[i] * concepts + concept[j]
            seen[key] = True
            found = _log_likelihood(chance[i], chance[j], odds[i], odds[j])
            for column in range(len(LIFTS)):
                total[:, column] += np.bincount(key, found[:, column], len(total))
    (keys,) = np.nonzero(seen)
    return keys // concepts, keys % concepts, total[keys]


def _log_likelihood(p: Floats, q: Floats, r: Floats, s: Floats) -> Floats:
    """Return (m, lifts) log-likelihoods of the answers about two concepts of a picture."""
    p, q, r, s = (each[:, None] for each in (p, q, r, s))
    least, most = np.maximum(p + q - 1, 0), np.minimum(p, q)
    both = np.clip(LIFTS * p * q, least / VALID, VALID * most)
    likelihood = (1 - p - q + both) + (p - both) * r + (q - both) * s + both * r * s
    log: Floats = np.log(likelihood.clip(1e-300))
    return log


def _posterior(likelihood: Floats) -> Floats:
    """Return (m, lifts) probabilities of the lifts of m pairs, each by what the others teach."""
    posterior = np.zeros_like(likelihood)
    for _ in range(ROUNDS):
        others = PAIRS + posterior.sum(0) - posterior
        log = likelihood + np.log(others / others.sum(1, keepdims=True))
        posterior = np.exp(log - logsumexp(log, axis=1, keepdims=True))
    return posterior


def _own(likelihood: Floats) -> Floats:
    """Return (m,) log-odds that pairs themselves give for ruling each other out, by no others."""
    few = LIFTS <= EXCLUSIVE
    exclusive = logsumexp(likelihood[:, few], axis=1, b=PAIRS[few] / PAIRS[few].sum())
    found: Floats = exclusive - likelihood[:, LIFTS == 1.0][:, 0]
    return found


def _cliques(exclusive: Bools, own: Floats) -> list[list[int]]:
    """Return disjoint sets of concepts that all rule each other out, of two or more.

    Each begins with whichever rules out most others, and takes in all that it can. own: (C, C)
    log-odds that each pair itself gives for it; a member's pairs give enough together.
    """
    order = np.lexsort((np.arange(len(exclusive)), -exclusive.sum(1))).tolist()
    left, cliques = dict.fromkeys(order), []
    for first in order:
        if first not in left:
            continue
        members = [first]
        for other in left:
            if exclusive[other, members].all():
                members.append(other)
        members = _sure(members, own)
        for member in members or [first]:
            del left[member]
        if members:
            cliques.append(sorted(members))
    return cliques


def _sure(members: list[int], own: Floats) -> list[int]:
    """Return those whose pairs with the others give enough for it: two or more, or none."""
    while len(members) > 1:
        by = own[np.ix_(members, members)].sum(1)
        if by.min() >= OWN:
            return members
        members = [member for member in members if member != members[by.argmin()]]
    return []


def _group(members: Sequence[int], lift: Floats) -> Group:
    """Return a group, whose overlap is the mean lift of its pairs."""
    among = lift[np.ix_(members, members)]
    pairs = among[np.triu_indices(len(members), 1)]
    return Group(tuple(members), float(pairs.mean()))

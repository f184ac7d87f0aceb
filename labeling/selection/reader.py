"""Read what may be asked of one annotator, and rank it by what an answer would bring."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta

from django.utils import timezone

from labeling import prepared, question_state
from labeling.aggregation.information import information_gain
from labeling.models import Annotator, Project
from labeling.selection import candidates
from labeling.selection.candidates import Candidate
from labeling.selection.concepts import Askable
from labeling.selection.known import CHECK_NO, CHECK_YES, NO, YES
from labeling.selection.picks import Reason
from labeling.showings import ANYWHERE, Showings

AMPLE = 2  # times as many questions as a challenge asks for: with fewer, a pool is filled
JITTER = 0.2  # share of a score that is random, so that people who ask at once get different tiles
SKIPPED_FOR = timedelta(hours=1)  # what somebody has skipped is not asked of them again
MAX_SKIPPED = 50  # skipped challenges that are remembered
LIKELY = "likely"  # role of a window, beside the reasons and those of known questions
OPEN_ROLES = {LIKELY, Reason.RANDOM, Reason.WANTED}
PoolKey = tuple[int, int]  # (concept id, grid)

_PENDING = f"""
SELECT false, ahead, tiles, questions FROM labeling_challenge
WHERE annotator_id = %(annotator)s AND answered_at IS NULL AND expires_at > %(now)s
UNION ALL (
    SELECT true, false, tiles, questions FROM labeling_challenge
    WHERE annotator_id = %(annotator)s AND skipped AND answered_at > %(skipped_from)s
    ORDER BY answered_at DESC LIMIT {MAX_SKIPPED}
)
"""


class Reader:
    """The questions that one annotator may be asked, and the pools that hold too few of them."""

    def __init__(
        self,
        *,
        annotator: Annotator,
        project: Project,
        showings: Showings = ANYWHERE,
        accept_short: bool = False,
    ) -> None:
        """Read for an annotator; `accept_short`: what little a pool holds, too.

        showings: what was shown at their address today.
        """
        self.annotator = annotator
        self.showings = showings
        self.project = project
        self.accept_short = accept_short
        self.low: list[PoolKey] = []  # pools that this annotator has soon used up
        self.short: list[PoolKey] = []  # those that hold too little for a challenge
        now = timezone.now()
        values = {"annotator": annotator.pk, "now": now, "skipped_from": now - SKIPPED_FOR}
        rows = prepared.fetch(_PENDING, values)
        self.pending_ahead = sum(ahead for _, ahead, _, _ in rows)
        self.pending = sum(not skipped for skipped, _, _, _ in rows) - self.pending_ahead
        self.pending_tiles = {tile for _, _, tiles, _ in rows for tile in tiles}
        self.pending_questions = {question for *_, questions in rows for question in questions}
        self.skipped_questions = {q for skipped, *_, asked in rows if skipped for q in asked}

    def ask_skipped(self) -> bool:
        """Let what was skipped be asked again, as nothing else is left; return whether it helps."""
        skipped, self.skipped_questions = self.skipped_questions, set()
        self.pending_questions -= skipped
        return bool(skipped)

    def read(self, *windows: candidates.Window) -> list[Candidate]:
        """Return the candidates of windows, but for what the annotator is being asked."""
        return candidates.read(
            *windows,
            annotator=self.annotator,
            project=self.project,
            exclude=self.pending_questions,
            showings=self.showings,
        )

    def read_enough(
        self, askable: Askable, grid: int, least: int, *windows: candidates.Window
    ) -> list[Candidate]:
        """Read windows of a concept; none of it where its pool is to be filled first.

        That is so where fewer than `least` questions can be asked, or none at random that might be.
        """
        read = self.read(*windows)
        if askable.exhausted:
            return read
        left = len({c.question for c in read if c.role in OPEN_ROLES})
        roles = {window.role for window in windows} - {c.role for c in read}
        if left < AMPLE * least:
            self.low.append((askable.concept, grid))
        if left >= least and Reason.RANDOM not in roles:
            return read
        self.short.append((askable.concept, grid))
        return read if self.accept_short else []

    def open_role(self) -> Reason:
        """Return the reason to ask: at random for the project's share, else as most wanted."""
        at_random = random.random() < self.project.random_share
        return Reason.RANDOM if at_random else Reason.WANTED

    def open_window(self, concept: int, grid: int, role: str) -> candidates.Window:
        """Return the window of open questions that the role asks for."""
        if role == Reason.RANDOM:
            return candidates.at_random(concept, grid, role)
        return candidates.most_wanted(concept, grid, role)

    def ranked(self, pool: Sequence[Candidate]) -> list[Candidate]:
        """Return candidates by score, with jitter; those drawn at random keep their order."""
        if any(c.role == Reason.RANDOM for c in pool):
            return list(pool)
        scored = [(score * (1 - JITTER * random.random()), c) for c, score in self.scored(pool)]
        return [c for _, c in sorted(scored, key=lambda pair: pair[0], reverse=True)]

    def scored(self, pool: Sequence[Candidate]) -> Iterator[tuple[Candidate, float]]:
        """Yield candidates with the bits that an answer is expected to bring, times their value.

        An unfinished question (`question_state.is_unfinished`) counts as if nothing were known of
        it, and a little more, so that jitter does not put it off.
        """
        unfinished = [
            question_state.is_unfinished(
                answers_count=c.answers_count,
                answers_min=self.project.answers_min,
                answers_wanted=c.answers_wanted,
                random_key=c.random_key,
                may_be_excluded=c.may_be_excluded,
            )
            for c in pool
        ]
        probabilities = [
            0.5 if first else c.probability for c, first in zip(pool, unfinished, strict=True)
        ]
        counts = self.annotator.confusion_counts
        bits = information_gain(counts.sensitivity, counts.specificity, probabilities).tolist()
        for candidate, gain, first in zip(pool, bits, unfinished, strict=True):
            yield candidate, gain * candidate.value / (1 - JITTER * first)


def known_windows(concept: int, at: Showings) -> list[candidates.Window]:
    """Return the windows of a concept's gold and checks, each again for what is shown again."""
    windows = [
        candidates.gold(concept, 1, True, YES),
        candidates.gold(concept, 1, False, NO),
        candidates.checks_of(concept, 1, True, CHECK_YES),
        candidates.checks_of(concept, 1, False, CHECK_NO),
    ]
    return windows + [candidates.again(window, at) for window in windows if at.lag]

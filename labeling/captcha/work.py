"""The door without a test: a computation that takes memory, and so has a price on any device.

A visitor's device looks for one nonce a puzzle: the scrypt hash (RFC 7914) of the nonce and the
puzzle's number, salted by the attempt, has so many leading zero bits. Several small puzzles take
less varied times than one large one. Of the nonces that come back, a few are checked that the
device cannot foresee. Whoever solves only a share s of the puzzles passes with a chance of s to the
power of CHECKED at most, for a share s of the price: leaving some out never makes a pass cheaper.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.utils.crypto import salted_hmac

from labeling.models import Site

SALT_BYTES = 16
NONCE_BYTES, NUMBER_BYTES = 8, 4
MOST_NONCE = 2**32 - 1
CHECKED = 3  # puzzles of an answer, at a few milliseconds each
MEMORY = 4096  # scrypt's N; with a block size of 8, a hash takes 4 MiB
BLOCK_SIZE, LANES = 8, 1
MOST_MEMORY = 64 * 2**20  # bytes that scrypt may take here

# Bits and puzzles of each difficulty, by which 256, 384 or 640 hashes are computed on average. Who
# computes nothing guesses right with a chance of 2 ** -(bits * CHECKED).
_PUZZLES: Mapping[str, tuple[int, int]] = {
    Site.Difficulty.EASY: (5, 8),
    Site.Difficulty.NORMAL: (6, 6),
    Site.Difficulty.HARD: (6, 10),
}
LEVELS = 3  # of an attack: with each, as many puzzles are added again


class Parameters(NamedTuple):
    """How much is to be computed: scrypt's parameters, the zero bits and the puzzles."""

    n: int
    r: int
    p: int
    bits: int
    puzzles: int

    @property
    def hashes(self) -> int:
        """How many hashes it takes on average."""
        return self.puzzles << self.bits


def parameters(difficulty: str, level: int = 0) -> Parameters:
    """Return what is to be computed at a site of that difficulty, at the level of an attack."""
    bits, puzzles = _PUZZLES[difficulty]
    level = min(max(level, 0), LEVELS)
    return Parameters(MEMORY, BLOCK_SIZE, LANES, bits, puzzles * (1 + level))


def salt_of(attempt: UUID) -> bytes:
    """Return the salt of an attempt's puzzles. Nobody can know it before the attempt begins."""
    return salted_hmac("labeling.captcha.work", attempt.hex, algorithm="sha256").digest()[
        :SALT_BYTES
    ]


def puzzle(attempt: UUID, wanted: Parameters) -> dict[str, Any]:
    """Return what the visitor's device is sent."""
    salt = base64.urlsafe_b64encode(salt_of(attempt)).rstrip(b"=").decode()
    n, r, p, bits, puzzles = wanted
    return {"salt": salt, "n": n, "r": r, "p": p, "bits": bits, "count": puzzles}


def is_solved(salt: bytes, wanted: Parameters, nonces: object) -> bool:
    """Whether the nonces, in the order of the puzzles, solve those of them that are checked.

    Which are checked is drawn each time, so an attempt is to be answered once. The first wrong
    one ends it; what has not the form of an answer costs nothing.
    """
    if not isinstance(nonces, list) or not _are_nonces(nonces, wanted.puzzles):
        return False
    drawn = secrets.SystemRandom().sample(range(wanted.puzzles), k=min(CHECKED, wanted.puzzles))
    return all(_leading_zeros(_hash(salt, wanted, nonces[i], i)) >= wanted.bits for i in drawn)


def _are_nonces(nonces: list[Any], count: int) -> bool:
    """Whether these are so many whole numbers of 32 bits."""
    return len(nonces) == count and all(
        type(nonce) is int and 0 <= nonce <= MOST_NONCE for nonce in nonces
    )


def _hash(salt: bytes, wanted: Parameters, nonce: int, number: int) -> bytes:
    """Return the hash of a nonce for the puzzle of that number, which counts from 0."""
    password = nonce.to_bytes(NONCE_BYTES) + number.to_bytes(NUMBER_BYTES)
    n, r, p, *_ = wanted
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=MOST_MEMORY, dklen=32)


def _leading_zeros(digest: bytes) -> int:
    """Return how many of the first bits are 0."""
    return 8 * len(digest) - int.from_bytes(digest).bit_length()

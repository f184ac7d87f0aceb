"""The door without a test: what it takes to pass, and what the server computes to know."""

import base64
import hashlib
import uuid
from math import comb

import pytest

from labeling.captcha import work
from labeling.models import Site

SALT = bytes(range(16))
LIGHT = work.Parameters(n=16, r=1, p=1, bits=4, puzzles=6)
ALL = [
    work.parameters(difficulty, level)
    for difficulty in Site.Difficulty
    for level in range(work.LEVELS + 1)
]


@pytest.fixture(scope="module")
def solution() -> list[int]:
    return [solve(number) for number in range(LIGHT.puzzles)]


@pytest.fixture
def hashes(monkeypatch) -> list[bytes]:
    """Collect what is hashed from now on."""
    hashed: list[bytes] = []
    scrypt = hashlib.scrypt

    def count(password: bytes, **values: object) -> bytes:
        hashed.append(password)
        return scrypt(password, **values)

    monkeypatch.setattr(hashlib, "scrypt", count)
    return hashed


def is_right(nonce: int, number: int) -> bool:
    password = nonce.to_bytes(8, "big") + number.to_bytes(4, "big")
    digest = hashlib.scrypt(password, salt=SALT, n=16, r=1, p=1, dklen=32)
    return digest[0] >> 4 == 0


def solve(number: int) -> int:
    return next(nonce for nonce in range(10_000) if is_right(nonce, number))


def test_who_solves_every_puzzle_passes(solution):
    assert all(work.is_solved(SALT, LIGHT, solution) for _ in range(20))


def test_an_answer_is_good_for_no_other_attempt(solution):
    first, second = uuid.uuid4(), uuid.uuid4()
    assert work.salt_of(first) == work.salt_of(first) != work.salt_of(second)
    assert len(work.salt_of(first)) == 16
    assert not work.is_solved(b"another salt", LIGHT, solution)


def test_the_device_is_sent_what_it_needs():
    attempt = uuid.UUID(int=7)
    sent = work.puzzle(attempt, work.parameters("easy"))
    salt = sent.pop("salt")
    assert base64.urlsafe_b64decode(salt + "==") == work.salt_of(attempt)
    assert sent == {"n": 4096, "r": 8, "p": 1, "bits": 5, "count": 8}


def test_the_salt_cannot_be_known_without_the_key(settings):
    attempt = uuid.uuid4()
    before = work.salt_of(attempt)
    settings.SECRET_KEY = "another"
    assert work.salt_of(attempt) != before


def test_the_order_of_the_puzzles_counts(solution):
    turned = [*solution[1:], solution[0]]
    assert not all(is_right(nonce, number) for number, nonce in enumerate(turned))
    assert not all(work.is_solved(SALT, LIGHT, turned) for _ in range(20))


@pytest.mark.parametrize(
    "nonces",
    [
        None,
        7,
        "123456",
        b"123456",
        {0: 1, 1: 2, 2: 3, 3: 4, 4: 5, 5: 6},
        [],
        [1] * 5,
        [1] * 7,
        [1] * 100_000,
        [1, 2, 3, 4, 5, -1],
        [1, 2, 3, 4, 5, 2**32],
        [1, 2, 3, 4, 5, 10**400],
        [1, 2, 3, 4, 5, 6.0],
        [1, 2, 3, 4, 5, "6"],
        [1, 2, 3, 4, 5, True],
        [1, 2, 3, 4, 5, None],
        [1, 2, 3, 4, 5, [6]],
    ],
)
def test_what_is_no_answer_costs_nothing(nonces, hashes):
    assert not work.is_solved(SALT, LIGHT, nonces)
    assert not hashes


def test_the_server_stops_at_the_first_wrong_one(solution, hashes):
    wrong = [next(n for n in range(99) if not is_right(n, i)) for i in range(LIGHT.puzzles)]
    hashes.clear()
    assert not work.is_solved(SALT, LIGHT, wrong)
    assert len(hashes) == 1


def test_the_server_computes_few_hashes_of_many(solution, hashes):
    assert work.is_solved(SALT, LIGHT, solution)
    assert len(hashes) == work.CHECKED < LIGHT.puzzles


def test_nobody_knows_which_are_checked(solution, hashes):
    for _ in range(60):
        work.is_solved(SALT, LIGHT, solution)
    assert len(set(hashes)) == LIGHT.puzzles


@pytest.mark.parametrize("wanted", ALL)
def test_memory_and_numbers_are_such_that_a_guess_is_hopeless(wanted):
    assert 128 * wanted.n * wanted.r >= 4 * 2**20
    assert 2.0 ** -(wanted.bits * work.CHECKED) < 1e-4
    assert all(value < 2**15 for value in wanted)  # as an attempt stores them


@pytest.mark.parametrize("wanted", ALL)
def test_no_puzzle_can_be_left_out_to_pass_at_a_lower_price(wanted):
    price = {
        solved: solved * 2**wanted.bits / chance(solved, wanted)
        for solved in range(1, wanted.puzzles + 1)
    }
    assert min(price, key=price.__getitem__) == wanted.puzzles


def chance(solved: int, wanted: work.Parameters) -> float:
    """Return how likely an answer passes of which so many are solved, the others guessed."""
    draws = comb(wanted.puzzles, work.CHECKED)
    return sum(
        comb(solved, right)
        * comb(wanted.puzzles - solved, work.CHECKED - right)
        / draws
        * 2.0 ** (-wanted.bits * (work.CHECKED - right))
        for right in range(work.CHECKED + 1)
    )


def test_it_takes_more_where_more_is_wanted():
    easy, normal, hard = (work.parameters(each) for each in ("easy", "normal", "hard"))
    assert easy.hashes < normal.hashes < hard.hashes
    under_attack = [work.parameters("normal", level).hashes for level in range(4)]
    assert under_attack == [384, 768, 1152, 1536]
    assert work.parameters("normal", 99) == work.parameters("normal", work.LEVELS)
    assert work.parameters("normal", -1) == normal


def test_a_real_answer_is_checked_with_the_parameters_of_a_site():
    wanted = work.parameters("normal")._replace(bits=1)
    salt = work.salt_of(uuid.uuid4())
    nonces = [
        next(n for n in range(99) if work._leading_zeros(work._hash(salt, wanted, n, i)) >= 1)
        for i in range(wanted.puzzles)
    ]
    assert work.is_solved(salt, wanted, nonces)

"""Challenges are found by their tokens, by whom they were issued to."""

import pytest

from labeling import challenges

pytestmark = pytest.mark.django_db


def test_a_token_finds_its_challenge(alice, grid):
    assert challenges.find(challenges.token(grid), alice) == grid


def test_a_token_fits_into_an_address(grid):
    token = challenges.token(grid)
    assert len(token) <= challenges.LONGEST_TOKEN
    assert not set(token) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_a_token_is_for_one_person(alice, bob, grid):
    for somebody in (bob, None):
        with pytest.raises(challenges.Foreign):
            challenges.find(challenges.token(grid), somebody)


@pytest.mark.parametrize("token", ["", "x", "a.b", "x" * 1000, "0" * 32 + ".0"])
def test_it_refuses_a_forged_token(alice, grid, token):
    with pytest.raises(challenges.Forged):
        challenges.find(token, alice)


def test_it_refuses_a_token_signed_with_another_key(alice, grid, settings):
    settings.SECRET_KEY = "another one"
    token = challenges.token(grid)
    settings.SECRET_KEY = "and another"
    with pytest.raises(challenges.Forged):
        challenges.find(token, alice)

"""A source is trusted as its judged statements deserve, and a new one as those like it."""

import numpy as np
import pytest

from labeling.aggregation import source_trust

YES, NO = 2.0, -2.0  # what a passable judge says, in log-odds


def infer(*judged: str, group=(0, 1, 1), expected=0.9, **more):
    """Infer from strings of + and - for each source."""
    source = np.concatenate([np.full(len(each), n) for n, each in enumerate(judged)])
    evidence = np.array([YES if sign == "+" else NO for each in judged for sign in each])
    columns = source.astype(np.intp), evidence
    return source_trust.infer(*columns, group=np.array(group), expected=expected, **more)


def test_before_any_judgement_all_are_trusted_as_expected():
    trust = infer("", "", "")
    assert trust.source == pytest.approx([0.9] * 3)
    assert trust.group == pytest.approx([0.9] * 2) and trust.anything == pytest.approx(0.9)


def test_a_bad_source_is_found_after_a_dozen_judgements():
    trust = infer("+---+-------", "+" * 12, "")
    assert trust.source[0] < 0.3 and trust.source[1] > 0.9


def test_a_new_source_is_trusted_as_its_group_and_a_new_group_as_all_are():
    trust = infer("+" * 30, "-" * 30, "")
    assert trust.source[0] > 0.9 and trust.source[1] < 0.1
    assert trust.source[1] < trust.group[1] < trust.anything < trust.group[0]
    assert trust.source[2] == pytest.approx(trust.group[1])


def test_an_unsure_judgement_tells_little():
    weak = source_trust.infer(
        np.zeros(12, np.intp), np.full(12, -0.1), group=np.array([0]), expected=0.9
    )
    assert weak.source[0] > 0.8
    nothing = source_trust.infer(
        np.zeros(12, np.intp), np.zeros(12), group=np.array([0]), expected=0.9
    )
    assert nothing.source[0] == pytest.approx(0.9)


def test_a_statement_does_not_confirm_itself():
    trust = infer("-", "+", "+", group=(0, 1, 2))
    assert trust.source[0] < 0.9 < trust.source[1]
    assert trust.others[0] > trust.source[0]
    assert trust.others[1] < trust.source[1]
    alone = infer("-", "", "")
    assert alone.others[0] == pytest.approx(0.9)


def test_what_else_is_known_of_a_statement_explains_it_away():
    doubtful = np.full(8, -3.0)  # statements that looked wrong before anybody judged them
    trust = infer("+--+----", "", "", offset=doubtful)
    assert trust.source[0] > infer("+--+----", "", "").source[0] + 0.2


def test_what_weighs_nothing_says_nothing():
    assert infer("---", "", "", weight=np.zeros(3)).source == pytest.approx([0.9] * 3)


def test_the_order_does_not_matter_and_everything_stays_a_probability():
    dice = np.random.default_rng(1)
    source, evidence = dice.integers(0, 40, 900), dice.normal(0, 20, 900)
    group, order = np.arange(40) % 7, dice.permutation(900)
    one = source_trust.infer(source, evidence, group=group, expected=0.6)
    other = source_trust.infer(source[order], evidence[order], group=group, expected=0.6)
    assert one.source == pytest.approx(other.source)
    assert one.others[order] == pytest.approx(other.others)
    for each in (one.source, one.group, one.others, np.array([one.anything])):
        assert np.isfinite(each).all() and (each > 0).all() and (each < 1).all()


def test_the_shares_that_it_finds_are_the_true_ones():
    dice = np.random.default_rng(2)
    share = dice.beta(3, 1, 300)
    source = np.repeat(np.arange(300), 20)
    true = dice.random(6_000) < share[source]
    said = true == (dice.random(6_000) < 0.88)  # by judges who are right 88 times in 100
    evidence = np.where(said, np.log(0.88 / 0.12), -np.log(0.88 / 0.12))
    trust = source_trust.infer(source, evidence, group=np.zeros(300, np.intp), expected=0.9)
    assert np.corrcoef(trust.source, share)[0, 1] > 0.75
    assert trust.source.mean() == pytest.approx(share.mean(), abs=0.03)
    assert trust.group[0] == pytest.approx(0.75, abs=0.05)

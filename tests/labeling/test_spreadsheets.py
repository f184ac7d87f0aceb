"""No cell that is written is a formula to a spreadsheet, and every text comes back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.spreadsheets import cell, text_of


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "-cmd", "@SUM(A1)", "\tx", "\r=1", "\n=1"])
def test_what_begins_like_a_formula_is_written_as_a_text(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "dog", "1=1", "'tis", "-1", "+.5", "-3,5", "-2e-7", " =1"])
def test_what_is_none_stays_as_it_is(text):
    assert cell(text) == text


@given(st.text(alphabet="'=+-@\t\r\n a1"))
def test_every_text_comes_back(text):
    assert text_of(cell(text)) == text

"""A column of texts with each different one once is the column, whatever is done to it."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from groundlings.experiments.analysis.comparison.texts import Texts

columns = st.lists(st.sampled_from(["", "a", "b", "c", "10", "9.5"]), max_size=12)


@given(columns)
def test_it_says_of_each_agent_what_the_column_says(column):
    texts = Texts.of(column)
    assert list(texts) == column
    assert texts.values == tuple(dict.fromkeys(column))
    assert texts.known == tuple(value for value in dict.fromkeys(column) if value)
    assert list(texts.counts().items()) == list(Counter(column).items())
    assert [*texts[2:5], *(texts[place] for place in range(len(column)))] == [*column[2:5], *column]
    for text in ("a", "nobody's"):
        assert texts.are(text).tolist() == [each == text for each in column]
    assert texts.numbers(len).tolist() == [len(each) for each in column]


@given(columns)
def test_texts_that_get_one_name_are_one_text(column):
    def name(text: str) -> str:
        return "letter" if text.isalpha() else text

    renamed = Texts.of(column).renamed(name)
    assert renamed == Texts.of(name(text) for text in column)
    assert renamed.values == tuple(dict.fromkeys(map(name, column)))
    assert (renamed == Texts.of([*column, "more"])) is False


def test_numbers_have_the_names_that_they_are_given_and_unknown_ones_none():
    found = Texts.of_numbers(np.array([2.0, np.nan, 0.5, 2.0]), "{:.1f}".format)
    assert list(found) == ["2.0", "", "0.5", "2.0"]
    assert found.values == ("2.0", "", "0.5")

"""Every recommender says in half a line what it does."""

from __future__ import annotations

import pytest

from groundlings.recommenders.in_words import IN_WORDS, in_words, own_words
from groundlings.recommenders.interleaving import TEAM_DRAFT
from groundlings.recommenders.registry import SHIPPED


def test_each_shipped_recommender_is_explained_and_nothing_else():
    assert set(IN_WORDS) == set(SHIPPED)
    assert max(map(len, IN_WORDS.values())) <= 90
    assert all(not words.endswith(".") and words[0].islower() for words in IN_WORDS.values())


def test_a_stranger_is_not_imported_to_be_explained():
    assert in_words("somewhere.else:Recommender") == ""


def test_ones_own_is_explained_by_the_first_sentence_of_its_documentation():
    said = own_words("groundlings.recommenders.popular:PopularRecommender")
    assert said == "Items by their number of users, the same list for all users except for items they have seen"
    assert own_words("groundlings.recommenders.als:AlsRecommender").startswith("Explains every cell of the matrix")
    assert [own_words(name) for name in ("als", TEAM_DRAFT, "python:mine")] == ["", "", ""]


@pytest.mark.parametrize("spec", sorted(SHIPPED))
def test_words_of_shipped_ones_are_read_without_importing_them(spec):
    assert in_words(spec) == IN_WORDS[spec]

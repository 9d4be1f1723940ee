"""A recommender of one's own that answers what a run cannot take is refused by its name, in one message."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.errors import ConfigError
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.recommenders.base import ScoringRecommender, state_of


class Odd(ScoringRecommender):
    """Gives what it was handed."""

    def __init__(self, scores=None, state=""):
        self.scores, self.said = scores, state

    def fit(self, interactions, catalog):
        raise AssertionError("nothing is learnt here")

    def score(self, users):
        return self.scores

    def state(self):
        return self.said


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        (np.full((2, 5), np.nan), "recommender Odd: the score of item 0 is NaN"),
        (
            np.ones((2, 6)),
            r"recommender Odd: its scores have the shape \(2, 6\) \(float64\); expected a number",
        ),
        (np.ones(5), r"the shape \(5,\)"),
        (None, r"the shape \(\) \(object\)"),
        (np.full((2, 5), "1"), "<U1"),
        (np.full((2, 5), "x", dtype=object), "could not convert"),
    ],
)
def test_scores_that_give_no_order_are_refused(scores, told):
    users = np.arange(2)
    request = RankingRequest(users, 3, sp.csr_array((2, 5)), Draws.for_sessions(1, users, 0))
    with pytest.raises(ConfigError, match=told):
        Odd(scores).recommend(request)


@pytest.mark.parametrize("state", [None, 5, "\udcff"])
def test_a_state_that_no_log_can_hold_is_refused(state):
    with pytest.raises(ConfigError, match=r"recommender Odd: its state is .*; expected a text"):
        state_of(Odd(state=state))

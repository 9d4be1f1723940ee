"""Generated ties are what their models say: as many as begun, unequal, or between people who are alike."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from groundlings.environments.errors import ConfigError
from groundlings.personas.social.generated import homophily, scale_free, small_world
from groundlings.personas.social.options import Homophily, ScaleFree, SmallWorld


def joining(begun: int) -> ScaleFree:
    return ScaleFree(generator="barabasi_albert", begun=begun)


@settings(max_examples=15)
@given(st.integers(4, 40), st.integers(1, 3), st.integers(0, 99))
def test_every_agent_that_joins_begins_as_many_ties(size: int, begun: int, seed: int) -> None:
    users = np.arange(size) * 2
    found = scale_free(joining(begun), users, 2 * size, seed)
    assert len(found) == begun * (size - begun)
    ties = np.diff(found.graph.indptr)
    assert not ties[1::2].any()
    assert ties[users].min() >= 1
    assert found.fingerprint == scale_free(joining(begun), users, 2 * size, seed).fingerprint


def test_whoever_has_many_ties_gets_more() -> None:
    users = np.arange(2000)
    most = [np.diff(scale_free(joining(3), users, 2000, seed).graph.indptr).max() for seed in range(3)]
    ring = small_world(SmallWorld(generator="watts_strogatz", neighbours=6, rewired=1.0), users, 2000, 0)
    assert min(most) > 3 * np.diff(ring.graph.indptr).max()


def test_ties_join_agents_with_similar_histories() -> None:
    chance = np.random.default_rng(0)
    groups = np.arange(200) % 4
    met = sp.csr_array((chance.random((200, 40)) < np.where(groups[:, None] == np.arange(40) % 4, 0.5, 0.05)) * 1.0)
    users = np.arange(200)

    def within(alike: float) -> float:
        options = Homophily(generator="homophily", begun=3, alike=alike, candidates=20)
        first, second = homophily(options, users, met, seed=1).graph.nonzero()
        return float((groups[first] == groups[second]).mean())

    assert within(1.0) > 0.75
    assert 0.18 < within(0.0) < 0.32  # a quarter by chance
    assert within(0.0) < within(0.5) < within(1.0)


def test_too_few_agents_or_candidates_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"ties\.begun: found 3 with 3 agents; expected at most 2"):
        scale_free(joining(3), np.arange(3), 3, 0)
    with pytest.raises(ConfigError, match=r"found 3 with 1 agent; so few cannot have such ties: take them out"):
        scale_free(joining(3), np.arange(1), 1, 0)
    with pytest.raises(ValueError, match="candidates: found 2, expected at least begun"):
        Homophily(generator="homophily", begun=3, candidates=2)

"""The same data and seed learn the same numbers in another process, to the last bit."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import numpy as np
from groundlings.environments.catalog import Catalog
from groundlings.environments.interactions import Interactions
from groundlings.recommenders.contract import toy_request
from groundlings.recommenders.registry import find_recommender

rng = np.random.default_rng(3)
taste = rng.normal(size=(150, 4)) @ rng.normal(size=(4, 120))
users, items = np.nonzero(taste > 1.5)
history = Interactions.of(users, items, None, np.arange(len(users)), n_users=150, n_items=120)
names = tuple(map(str, range(120)))
catalog = Catalog(names, names, np.full(120, np.nan), ((),) * 120)
for name in sys.argv[1:]:
    recommender = find_recommender(name)()
    recommender.fit(history, catalog)
    ranking = recommender.recommend(toy_request(history, np.arange(150), 20))
    print(recommender.state(), ranking.items.tobytes().hex(), ranking.scores.tobytes().hex())
"""
NAMES = ["als", "bpr", "ease", "item_knn"]


@pytest.fixture(scope="module")
def learnt():
    """What each recommender learnt, in one process after the other."""

    def by_process(threads):
        printed = subprocess.run(
            [sys.executable, "-c", PROGRAM, *NAMES],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
        ).stdout
        return dict(zip(NAMES, printed.splitlines(), strict=True))

    return by_process("1"), by_process("4")


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_learn_the_same(name, learnt):
    """Also where the environment offers another number of threads, and hashes strings otherwise."""
    one, other = (each[name] for each in learnt)
    assert one == other
    assert len(one) > 1_000

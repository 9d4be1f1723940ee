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
recommender = find_recommender(sys.argv[1])()
recommender.fit(history, catalog)
ranking = recommender.recommend(toy_request(history, np.arange(150), 20))
print(recommender.state(), ranking.items.tobytes().hex(), ranking.scores.tobytes().hex())
"""


@pytest.mark.parametrize("name", ["als", "bpr", "ease", "item_knn"])
def test_two_processes_learn_the_same(name):
    """Also where the environment offers another number of threads, and hashes strings otherwise."""
    answers = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM, name],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
        ).stdout
        for threads in ("1", "4")
    }
    assert len(answers) == 1
    assert len(answers.pop()) > 1_000

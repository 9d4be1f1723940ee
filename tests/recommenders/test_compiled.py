"""The parts of irspack that recommenders use are its own, and nothing else of it is loaded."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.recommenders.compiled import compiled
from groundlings.recommenders.ease import EaseRecommender
from groundlings.recommenders.item_knn import ItemKnnRecommender


def histories(density: float) -> sp.csr_array:
    draws = np.random.default_rng(3)
    counts = sp.random(60, 40, density=density, random_state=draws, data_rvs=lambda n: draws.integers(1, 4, n) * 1.0)
    return sp.csr_array(counts)


@pytest.mark.parametrize("density", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("weighting", ["tf_idf", "none"])
def test_neighbours_are_to_the_bit_those_of_irspack(density, weighting):
    from irspack.recommenders.knn import CosineKNNRecommender

    matrix = histories(density)
    recommender = ItemKnnRecommender(neighbours=7, shrinkage=2.0, weighting=weighting)
    recommender.learn(matrix)
    theirs = CosineKNNRecommender(
        sp.csr_matrix(matrix), shrinkage=2.0, normalize=True, top_k=7, feature_weighting=weighting.upper(), n_threads=1
    ).learn()
    learnt = recommender.learnt()[3:]
    expected = sp.csr_array(theirs.W)
    for found, wanted in zip(learnt, (expected.indptr, expected.indices, expected.data), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("density", [0.0, 0.05, 0.4])
def test_ridge_weights_are_to_the_bit_those_of_irspack(density):
    from irspack.recommenders.dense_slim import DenseSLIMRecommender

    matrix = histories(density)
    recommender = EaseRecommender(regularisation=3.0)
    recommender.learn(matrix)
    theirs = DenseSLIMRecommender(sp.csr_matrix(matrix), reg=3.0).learn()
    np.testing.assert_array_equal(recommender.learnt()[2], np.asarray(theirs.W, dtype=np.float32))


def test_a_fit_loads_a_compiled_module_and_none_of_the_packages_around_it():
    program = (
        "import sys, scipy.sparse as sp\n"
        "from groundlings.recommenders.item_knn import ItemKnnRecommender\n"
        "ItemKnnRecommender().learn(sp.csr_array((3, 3)))\n"
        "print(sorted({'irspack', 'optuna', 'pandas', 'sklearn'} & set(sys.modules)))\n"
        "from irspack.recommenders.knn import CosineSimilarityComputer\n"
        "print(CosineSimilarityComputer is sys.modules['irspack.recommenders._knn'].CosineSimilarityComputer)"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert printed.splitlines() == ["[]", "True"]


def test_a_module_that_is_not_there_is_missing_as_any_other():
    with pytest.raises(ModuleNotFoundError, match="irspack"):
        compiled("irspack.recommenders._no_such_module")

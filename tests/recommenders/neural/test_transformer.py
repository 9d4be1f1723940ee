"""The network as numpy computes it, without PyTorch."""

import numpy as np
import pytest

from groundlings.recommenders.neural.transformer import Numpy, Shape, initial_weights, states, vectors

STYLES = ("sasrec", "bert4rec")


def network(style, seed=3):
    shape = Shape(style, n_items=9, length=6, width=8, blocks=2, heads=2)
    rng = np.random.default_rng(seed)
    weights = initial_weights(shape, seed)
    shaken = {name: values + rng.normal(0, 0.3, values.shape) for name, values in weights.items()}
    return shape, {name: values.astype(np.float32) for name, values in shaken.items()}


def rows_of(shape, n=40):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, shape.n_items, (n, shape.length))
    rows[np.arange(shape.length) < rng.integers(0, shape.length, n)[:, None]] = shape.padding
    return rows


@pytest.mark.parametrize("style", STYLES)
def test_a_user_has_the_same_vector_whoever_is_asked_with_them(style):
    shape, weights = network(style)
    rows = rows_of(shape)
    together = vectors(weights, shape, rows)
    for row in range(len(rows)):
        np.testing.assert_array_equal(vectors(weights, shape, rows[row : row + 1])[0], together[row])


@pytest.mark.parametrize("style", STYLES)
def test_what_fills_up_a_row_changes_nothing(style):
    shape, weights = network(style)
    rows = rows_of(shape)
    other = dict(weights, items=weights["items"].copy())
    other["items"][shape.padding] += 1
    np.testing.assert_allclose(vectors(other, shape, rows), vectors(weights, shape, rows), rtol=1e-4, atol=1e-5)


def test_sasrec_looks_back_only_and_bert4rec_to_both_sides():
    for style, same in (("sasrec", True), ("bert4rec", False)):
        shape, weights = network(style)
        rows = np.array([[0, 1, 2, 3, 4, 5]])
        changed = np.array([[0, 1, 2, 3, 4, 6]])
        before, after = (states(Numpy(), weights, shape, each)[0, :-1] for each in (rows, changed))
        assert np.allclose(before, after) == same


@pytest.mark.parametrize("style", STYLES)
def test_the_order_of_a_history_matters(style):
    shape, weights = network(style)
    first, second = vectors(weights, shape, np.array([[0, 1, 2, 3, 4, 5], [4, 1, 2, 3, 0, 5]]))
    assert not np.allclose(first, second)

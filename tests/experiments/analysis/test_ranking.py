"""Our ranking metrics against two libraries and against lists small enough to count by hand."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_measures import AP, RR, P, R, Success, nDCG

from groundlings.environments.arrays import NO_ITEM
from groundlings.experiments.analysis.metrics.ranking import (
    ACCURACY,
    coverage,
    exposure,
    gini,
    intra_list_distance,
    novelty,
    score_rankings,
    trec_order,
)

PEOPLE, ITEMS, K = 12, 40, 10


def world(seed: int, *, ties: bool, people: int = PEOPLE, items: int = ITEMS):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, (people, items)).astype(float) if ties else rng.permuted(
        np.tile(np.arange(items, dtype=float), (people, 1)), axis=1
    )  # fmt: skip
    relevant = rng.random((people, items)) < rng.choice([0.02, 0.2, 0.5], people)[:, None]
    ids = [f"d{rng.integers(10**6)}x{item}" for item in range(items)]
    return scores, sp.csr_array(relevant.astype(float)), ids


def as_trec(scores, relevant, ids, people):
    qrels = {f"q{row}": {ids[item]: 1 for item in relevant[[row]].indices} for row in people if relevant[[row]].nnz}
    run = {f"q{row}": {ids[item]: float(score) for item, score in enumerate(scores[row])} for row in people}
    return qrels, run


def ours(scores, relevant, ids, k=K):
    return score_rankings(trec_order(scores, ids, k), relevant, k)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.integers(1, 45))
def test_the_metrics_are_those_of_trec_eval_ties_included(seed, ties, k):
    scores, relevant, ids = world(seed, ties=ties)
    found = ours(scores, relevant, ids, k)
    qrels, run = as_trec(scores, relevant, ids, range(PEOPLE))
    # Cut reciprocal rank comes from another tool there, which breaks ties the other way round: cut trec_eval's instead.
    names = {nDCG @ k: "ndcg", AP @ k: "ap", RR: "mrr", R @ k: "recall", P @ k: "precision", Success @ k: "hit"}
    for entry in ir_measures.iter_calc(list(names), qrels, run):
        theirs = 0.0 if entry.measure == RR and entry.value < 1 / k - 1e-9 else entry.value
        value = found.values[names[entry.measure]][int(entry.query_id[1:])]
        assert value == pytest.approx(theirs, abs=1e-6)
    assert found.without_relevant == PEOPLE - len(qrels)


@pytest.mark.parametrize("seed", range(5))
def test_the_metrics_are_those_of_ranx_without_ties(seed):
    from ranx import Qrels, Run, evaluate

    scores, relevant, ids = world(seed, ties=False)
    found = ours(scores, relevant, ids)
    qrels, run = as_trec(scores, relevant, ids, range(PEOPLE))
    run = {query: ranked for query, ranked in run.items() if query in qrels}
    theirs = {"ndcg": "ndcg@10", "ap": "map@10", "mrr": "mrr@10", "recall": "recall@10", "precision": "precision@10",
              "hit": "hit_rate@10"}  # fmt: skip
    values = evaluate(Qrels(qrels), Run(run), list(theirs.values()))
    for name, their_name in theirs.items():
        assert np.nanmean(found.values[name]) == pytest.approx(values[their_name], abs=1e-6)


def test_people_without_relevant_items_are_left_out_and_people_without_a_list_score_nothing():
    items = np.array([[0, 1], [NO_ITEM, NO_ITEM], [1, 2]], dtype=np.int32)
    relevant = sp.csr_array(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], dtype=float))
    found = score_rankings(items, relevant, 2)
    assert (found.without_relevant, found.without_list) == (1, 1)
    for name in ACCURACY:
        assert found.values[name][1] == 0
        assert np.isnan(found.values[name][2])
    assert found.values["ndcg"][0] == 1


def test_counted_by_hand():
    # Relevant: 0, 3, 4. The list has 3 at rank 2 and 0 at rank 3.
    items = np.array([[5, 3, 0, 1]], dtype=np.int32)
    relevant = sp.csr_array(np.array([[1, 0, 0, 1, 1, 0]], dtype=float))
    values = {name: each[0] for name, each in score_rankings(items, relevant, 4).values.items()}
    ideal = 1 + 1 / np.log2(3) + 1 / 2
    assert values == pytest.approx(
        {
            "ndcg": (1 / np.log2(3) + 1 / 2) / ideal,
            "recall": 2 / 3,
            "capped_recall": 2 / 3,
            "precision": 2 / 4,
            "hit": 1.0,
            "mrr": 1 / 2,
            "ap": (1 / 2 + 2 / 3) / 3,
        }
    )
    assert score_rankings(items, relevant, 2).values["capped_recall"][0] == pytest.approx(1 / 2)


def test_a_short_list_is_no_better_than_the_same_list_filled_with_misses():
    relevant = sp.csr_array(np.array([[1, 1, 0, 0, 0]], dtype=float))
    short = score_rankings(np.array([[0, NO_ITEM, NO_ITEM]], dtype=np.int32), relevant, 3)
    full = score_rankings(np.array([[0, 3, 4]], dtype=np.int32), relevant, 3)
    narrow = score_rankings(np.array([[0]], dtype=np.int32), relevant, 3)
    for name in ACCURACY:
        assert short.values[name][0] == full.values[name][0] == narrow.values[name][0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 20))
def test_a_perfect_list_scores_one_and_nothing_leaves_zero_to_one(seed, k):
    scores, relevant, ids = world(seed, ties=False)
    perfect = ours(relevant.toarray(), relevant, ids, k)
    for name in ("ndcg", "capped_recall", "hit", "mrr"):
        assert np.nanmin(perfect.values[name]) == pytest.approx(1.0)
    for values in ours(scores, relevant, ids, k).values.values():
        known = values[~np.isnan(values)]
        assert ((known >= 0) & (known <= 1 + 1e-12)).all()


def test_a_list_that_names_an_item_twice_and_a_wrong_number_of_lists_are_refused():
    relevant = sp.csr_array(np.eye(3))
    with pytest.raises(ValueError, match="twice"):
        score_rankings(np.array([[1, 1], [0, 1], [0, 1]], dtype=np.int32), relevant, 2)
    with pytest.raises(ValueError, match="2 lists for 3 people"):
        score_rankings(np.array([[1], [1]], dtype=np.int32), relevant, 2)


def test_trec_order_puts_the_later_id_first_and_lists_nothing_hidden():
    scores = np.array([[1.0, 1.0, -np.inf, 2.0]])
    assert trec_order(scores, ["a", "b", "c", "d"], 4).tolist() == [[3, 1, 0, NO_ITEM]]


def test_beyond_accuracy_counted_by_hand():
    items = np.array([[0, 1], [0, NO_ITEM]], dtype=np.int32)
    assert coverage(items, 4) == 0.5
    assert exposure(items, 4).tolist() == [2, 1, 0, 0]
    assert gini(np.array([1, 1, 1])) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)
    assert np.isnan(gini(np.zeros(3)))
    surprise = novelty(items, np.array([7, 3, 0, 0]), 7)
    assert surprise == pytest.approx([(0 + 1) / 2, 0.0])
    distance = intra_list_distance(items, np.array([[1.0, 0], [0, 1], [0, 0], [1, 1]]))
    assert distance[0] == pytest.approx(1.0)
    assert np.isnan(distance[1])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(1, 9))
def test_gini_knows_neither_order_nor_unit(counts, factor):
    if sum(counts) == 0:
        return
    value = gini(np.array(counts))
    assert 0 <= value <= 1
    assert gini(np.array(counts[::-1]) * factor) == pytest.approx(value)

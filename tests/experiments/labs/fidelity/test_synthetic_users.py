"""Part 8 of the fidelity lab: synthetic users beside real ones, beside floors and beside independent marginals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.experiments.labs.fidelity import synthetic_users
from groundlings.experiments.labs.fidelity.experiment_file import as_fidelity
from groundlings.experiments.labs.fidelity.headlines import headlines
from groundlings.experiments.labs.fidelity.synthetic_users import (
    INDEPENDENT,
    PART,
    closest,
    examine_synthetic_users,
    independent_histories,
)
from groundlings.personas.synthesis import synthesize


def of_methods(stage, *methods):
    return replace(stage, config=stage.config.model_copy(update={"synthetic_users": methods}))


@pytest.fixture(scope="module")
def records(stage):
    found = examine_synthetic_users(of_methods(stage, "resample", "copula"))
    return {(record.scorer, record.metric): record for record in found}


def test_who_does_not_ask_gets_none(stage, findings):
    assert examine_synthetic_users(stage) == []
    assert PART not in {record.part for record in findings.records}


def test_every_distance_stands_beside_its_floor_and_the_trivial_row(records):
    for scorer in ("resample", "copula", INDEPENDENT):
        record = records[scorer, "item popularity jsd"]
        floor = records["real people", "item popularity jsd"]
        assert record.baseline.value == floor.high
        assert record.low <= record.value <= record.high
        assert (record.part, record.n) == (PART, records["resample", "items per user ks"].n)


def test_taste_spreads_as_among_real_users_and_not_as_among_strangers(records):
    ours, strangers = (records[who, "spread of taste ratio"].value for who in ("resample", INDEPENDENT))
    assert ours > 0.75 > strangers


def test_ratings_of_one_user_go_together_only_where_the_model_knows_users(records):
    assert records["resample", "icc ratio"].value > records[INDEPENDENT, "icc ratio"].value + 0.2


def test_no_history_is_copied_and_the_real_ones_stand_beside(records):
    assert records["resample", "copies"].value == 0
    assert records["resample", "copies"].baseline.scorer == "real people"
    median = "distance to closest fitted record, median"
    assert records["resample", median].value > records["real people", median].value - 0.15


def test_a_model_that_copies_is_found_out(stage, monkeypatch):
    whole = synthesize.make_histories

    def copied(source, wanted, most_rows=None):
        alone = np.repeat(wanted.donors[:, :1], wanted.donors.shape[1], axis=1)
        sizes = np.diff(source.met.indptr)[alone[:, 0]]
        return whole(source, replace(wanted, donors=alone, pairs=sizes), most_rows)

    monkeypatch.setattr(synthesize, "make_histories", copied)
    found = {
        record.metric: record
        for record in examine_synthetic_users(of_methods(stage, "resample"))
        if record.scorer == "resample"
    }
    assert found["copies"].value == 1.0
    assert found["nearer to a fitted user"].value > 0.7
    assert found["largest overlap with a fitted record"].value == 1.0


def test_the_closest_record_is_the_one_that_shares_most():
    made = sp.csr_array(np.array([[1, 1, 0, 0], [1, 1, 1, 1]]))
    real = sp.csr_array(np.array([[1, 1, 1, 0], [0, 0, 1, 1]]))
    assert closest(made, real).tolist() == [2 / 3, 3 / 4]


def test_independent_users_keep_lengths(stage):
    model = synthesize.fit_users(stage.dataset, stage.split, 1)
    rows = independent_histories(model, 40, np.random.default_rng(1))
    assert set(np.bincount(rows.users)) == set(np.bincount(stage.train.users))
    assert rows.met.nnz == len(rows)


def test_an_experiment_file_is_compared_with_its_own_synthetic_users():
    content = {"name": "mine", "mind": "behavioural", "arms": [], "population": {"size": 9, "synthetic": "copula"}}
    assert as_fidelity(content, lambda _: None)["synthetic_users"] == ["copula"]
    assert "synthetic_users" not in as_fidelity({**content, "population": {"size": 9}}, lambda _: None)


def test_the_part_has_its_question_on_the_page(findings, records):
    from groundlings.experiments.labs.fidelity.page import render_page

    shown = render_page(replace(findings, records=[*findings.records, *records.values()]))
    assert "Are synthetic users like real ones, and copies of none?" in shown
    assert synthetic_users.INDEPENDENT in shown


def test_the_terminal_shows_them_beside_the_real_ones(records):
    labels = {row.label: row.beside for row in headlines(list(records.values()))}
    assert labels["Synthetic users (copula): copies"].endswith("real users")
    assert labels["Synthetic users (resample): item popularity, JSD"].endswith("floor, real v real")

"""A split among people with ties: known effects lie in their intervals, and the command says how far off it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from groundlings.environments.arrays import IntArray
from groundlings.environments.errors import ConfigError
from groundlings.environments.ties import Ties
from groundlings.experiments.cli.interference import _print, interference
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.labs.interference.estimates import Estimate, Estimates, estimate, shares_of_ties
from groundlings.experiments.labs.interference.lab import Findings, Tested, try_splits
from groundlings.experiments.labs.resampling import Resamples
from groundlings.experiments.running.clusters import clusters_of, share_within
from groundlings.experiments.terminal import Terminal
from groundlings.simulator.log.reader import ArmRows, LogReader

N, DIRECT, SPILLOVER = 600, 0.5, 0.8
USERS = np.arange(N)


def ring(chance: np.random.Generator) -> Ties:
    """Everybody knows the next three, and one anywhere."""
    far = (USERS + chance.integers(1, N - 1, size=N)) % N
    return Ties.of(np.tile(USERS, 4), np.concatenate([(USERS + step) % N for step in (1, 2, 3)] + [far]), N)


def made_test(units: IntArray, ties: Ties, clusters: IntArray, chance: np.random.Generator) -> Estimates:
    """A test whose arm adds 0.5 to the outcome of its own agents, and 0.8 times its share of their ties to anybody's;
    people of one cluster are alike."""
    home = (chance.permutation(units.max() + 1) % 2)[units]
    share = shares_of_ties(ties, USERS, home)
    outcome = 1 + DIRECT * home + SPILLOVER * share[:, 0] + chance.normal(0, 0.3, clusters.max() + 1)[clusters]
    resamples = Resamples.draw(int(clusters.max()) + 1, 200, chance)
    (found,) = estimate(outcome + chance.normal(0, 0.5, N), home, share, clusters, resamples)
    return found


@pytest.mark.parametrize("by", ["agents", "clusters"])
def test_known_effects_lie_in_their_intervals(by):
    found = []
    for seed in range(12):
        chance = np.random.default_rng(seed)
        ties = ring(chance)
        clusters = clusters_of(ties, USERS, chance)
        found.append(made_test(USERS if by == "agents" else clusters, ties, clusters, chance))
    for row, truth in (("direct", DIRECT), ("spillover", SPILLOVER), ("total", DIRECT + SPILLOVER)):
        assert sum(getattr(each, row).holds(truth) for each in found) >= 10, row
    naive = np.mean([each.naive.value for each in found])
    assert naive < DIRECT + SPILLOVER - 0.2  # it misses most of what ties carry, by clusters less
    assert (naive < DIRECT + 0.2) == (by == "agents")


def test_one_arm_for_everybody_tells_nothing():
    chance = np.random.default_rng(0)
    ties = ring(chance)
    home = np.zeros(N, dtype=np.int64)
    resamples = Resamples.draw(N, 10, chance)
    (found,) = estimate(chance.normal(size=N), home, shares_of_ties(ties, USERS, home), USERS, resamples)
    assert {each.value for each in (found.naive, found.direct, found.spillover, found.total)} == {None}
    assert Tested("agents", 0.0, (found,)).intervals("total") == 0  # which is no interval that misses the truth


def test_a_mean_says_of_how_many_assignments_it_is(capsys):
    known, unknown = Estimate(0.5, 0.1, 0.9), Estimate(None, None, None)
    told = (Estimates(known, known, known, known), Estimates(known, unknown, unknown, unknown))
    _print(Findings(("a", "b"), 9, 9, 4, 1.0, 0.0, 0.5, (Tested("agents", 0.5, told),)), Terminal(width=120))
    rows = {line.split()[1]: line for line in capsys.readouterr().out.splitlines() if line.startswith("\u2502")}
    assert "+0.5000 (1 of 2)" in rows["total"]
    assert "of 2)" not in rows["naive"]


@settings(max_examples=20)
@given(st.integers(2, 30), st.integers(0, 60), st.integers(0, 99))
def test_clusters_are_circles_around_people_who_do_not_know_each_other(size: int, pairs: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    first, second = chance.integers(size, size=(2, pairs))
    ties = Ties.of(first[first != second], second[first != second], size)
    clusters = clusters_of(ties, np.arange(size), chance)
    assert set(clusters) == set(range(clusters.max() + 1))
    for number in range(clusters.max() + 1):
        members = np.flatnonzero(clusters == number)
        known = ties.graph[members][:, members].sum(axis=1)
        assert known.max() == len(members) - 1  # somebody knows all the others
    assert np.isnan(share_within(ties, np.arange(size), clusters)) == (len(ties) == 0)


EXPERIMENT = {
    "name": "interference", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 40, "n_items": 60, "interactions_per_user": 12}},
    "simulation": {"days": 2}, "held_out": False,
    "mind": {
        "kind": "behavioural",
        "social": {"ties": {"generator": "watts_strogatz", "neighbours": 4, "rewired": 0.0}, "likes": 3.0},
    },
    "arms": [{"name": "chance", "recommender": "random_order"}, {"name": "popular", "recommender": "popular"}],
}  # fmt: skip


def test_the_command_holds_splits_against_the_truth(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT))
    app = typer.Typer()
    app.command()(interference)
    asked = [str(path), "--assignments", "1", "--times", "100", "--json", str(tmp_path / "figures.json")]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 0, found.output
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["ties"] == 80
    assert figures["truth"] == pytest.approx(figures["after"] - figures["before"])
    by_agents, by_clusters = figures["tested"]
    assert by_clusters["ties_across"] < by_agents["ties_across"]
    assert all(each["total"]["low"] <= each["total"]["value"] for each in by_agents["estimates"])


def test_what_is_done_on_lost_pages_counts_as_no_zero(tmp_path, monkeypatch):
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT))
    rows = {1: ArmRows(sessions=9, impressions=90, known=80, opened=8, rated=8)}
    monkeypatch.setattr(LogReader, "rows_by_arm", lambda _: rows)
    with pytest.raises(ConfigError, match="pages are lost, and what agents did with 10 impressions is not known"):
        try_splits(load_config(path), assignments=1, times=100)
    with pytest.raises(ConfigError, match="expected 100 to 10,000"):
        try_splits(load_config(path), times=1)


def test_an_experiment_without_ties_is_refused(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump({**EXPERIMENT, "mind": "behavioural"}))
    with pytest.raises(ConfigError, match=r"found 2 arms, the design parallel, and no key mind\.social"):
        try_splits(load_config(path))

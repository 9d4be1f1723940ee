"""`groundlings ties` finds influence where it was made, and none where people are exchanged."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import typer
from typer.testing import CliRunner

from groundlings.environments.arrays import FloatArray, IntArray
from groundlings.environments.errors import ConfigError, DataError, RunWarning
from groundlings.environments.ties import Ties
from groundlings.experiments.cli.ties import ties as ties_command
from groundlings.experiments.labs.resampling import Resamples, interval
from groundlings.experiments.labs.ties.choice import choice_weights
from groundlings.experiments.labs.ties.lab import measure_ties
from groundlings.experiments.labs.ties.tables import TiedHistories, read_tied_histories

N_USERS, N_ITEMS, DAYS = 150, 60, 20


@dataclass
class MadeLog:
    """Products that people put into their baskets, one of two on each day, and the ties that had told them of some."""

    users: IntArray
    differences: FloatArray
    met: sp.csr_array
    ties: Ties


def made_log(b: float, seed: int) -> MadeLog:
    """A log in which a person takes a product with utility appeal + b log(1 + ties who have taken it)."""
    chance = np.random.default_rng(seed)
    first, second = chance.integers(N_USERS, size=(2, 4 * N_USERS))
    ties = Ties.of(first[first != second], second[first != second], N_USERS)
    appeal, everybody = chance.normal(size=N_ITEMS), np.arange(N_USERS)
    taken = np.zeros((N_USERS, N_ITEMS))
    rows = []
    for _ in range(DAYS):
        told = np.log1p(ties.counts(sp.csr_array(taken)).toarray())
        offered = np.argsort(chance.random((N_USERS, N_ITEMS)) + taken, axis=1)[:, :2].T
        features = np.stack([appeal[offered], told[everybody, offered]], axis=-1)
        difference = features[0] - features[1]
        takes_first = chance.random(N_USERS) < 1 / (1 + np.exp(-difference @ [1.0, b]))
        taken[everybody, np.where(takes_first, *offered)] = 1
        rows.append(difference * np.where(takes_first, 1, -1)[:, None])
    return MadeLog(np.tile(everybody, DAYS), np.concatenate(rows), sp.csr_array(taken), ties)


@pytest.mark.parametrize("b", [0.0, 0.8])
def test_the_weight_of_a_made_log_lies_in_its_interval(b: float) -> None:
    covered = []
    for seed in range(6):
        log = made_log(b, seed)
        resamples = Resamples.draw(N_USERS, 60, np.random.default_rng(seed))
        found = choice_weights(log.differences, log.users, resamples.weights)[:, 1]
        low, high = interval(found)
        assert low is not None
        assert high is not None
        assert high - low < 0.6
        covered.append(low <= b <= high)
    assert sum(covered) >= 5


def test_weights_of_whole_counts_are_those_of_repeated_pairs() -> None:
    differences = np.random.default_rng(0).normal(size=(40, 2)) + 0.3
    counts = np.arange(40) % 3
    (counted,) = choice_weights(differences, np.arange(40), counts[None].astype(float))
    repeated = np.repeat(differences, counts, axis=0)
    (plain,) = choice_weights(repeated, np.zeros(len(repeated), dtype=np.int64), np.ones((1, 1)))
    assert counted == pytest.approx(plain, rel=0.01)


def households(seed: int) -> TiedHistories:
    """Households of four, whose members each take three fifths of a shopping list of their own."""
    chance = np.random.default_rng(seed)
    home = np.repeat(np.arange(40), 4)
    lists = np.argsort(chance.random((40, 120)), axis=1) < 20
    met = sp.csr_array((lists[home] & (chance.random((160, 120)) < 0.6)).astype(np.float64))
    first, second = np.nonzero((home[:, None] == home) & (np.arange(160)[:, None] < np.arange(160)))
    return TiedHistories(tuple(map(str, range(160))), met, Ties.of(first, second, 160), 0)


def test_ties_that_share_a_list_add_something_and_exchanged_people_do_not() -> None:
    data = households(1)
    (real,) = measure_ties(data, times=100, relabellings=3, neighbours=(20,)).gains
    assert real.gain.low is not None
    assert real.gain.low > 0.05
    assert real.weight.low is not None
    assert real.weight.low > max(real.placebo_weights)
    assert abs(real.placebo.value) < 0.02
    strangers = replace(data, ties=data.ties.relabelled(np.random.default_rng(3)))
    (none,) = measure_ties(strangers, times=100, relabellings=3, neighbours=(20,)).gains
    assert none.gain.value < 0.02


def written(folder: Path, log: MadeLog) -> tuple[Path, Path]:
    """The log as two tables, with one tie to somebody who took nothing."""
    histories, ties = folder / "baskets.csv", folder / "ties.csv"
    pairs = zip(*log.met.nonzero(), strict=True)
    histories.write_text("\n".join(["user,item", *(f"u{user},p{item}" for user, item in pairs)]))
    pairs = zip(*log.ties.graph.nonzero(), strict=True)
    ties.write_text("\n".join(["user,friend", *(f"u{user},u{friend}" for user, friend in pairs), "u1,nobody"]))
    return histories, ties


def test_the_command_reads_two_tables_and_prints_what_was_left_out(tmp_path: Path) -> None:
    histories, ties = written(tmp_path, made_log(2.5, 1))
    alone = typer.Typer()
    alone.command()(ties_command)
    options = ["--times", "100", "--relabellings", "2", "--json", str(tmp_path / "f.json")]
    outcome = CliRunner().invoke(alone, [str(histories), str(ties), *options])
    assert outcome.exit_code == 0, outcome.output
    assert "1 row of ties that names somebody without a history" in " ".join(outcome.output.split())
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["people"] == N_USERS
    assert found["fitted"] + found["judged"] + found["unmatched"] == pytest.approx(0.2 * N_USERS * DAYS, rel=0.1)
    assert [gain["neighbours"] for gain in found["gains"]] == [50, 200, 1000]


@pytest.mark.parametrize(
    ("histories", "ties", "complaint"),
    [
        ("user,product\na,1\n", "user,friend\na,b\n", "column 'item' .* is not in the header"),
        ("user,item\na,1\nb,\n", "user,friend\na,b\n", "line 3: column 'item': the cell is empty"),
        ("user,item\na,1\nb,2\n", "user,friend\nx,y\n", "none of its 1 row joins two people"),
        ("user,item\na,1\nb,2\n", "user,friend\na,a\n", "line 2: column 'friend': the user has a tie to itself"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path: Path, histories: str, ties: str, complaint: str) -> None:
    paths = tmp_path / "histories.csv", tmp_path / "ties.csv"
    for path, text in zip(paths, (histories, ties), strict=True):
        path.write_text(text)
    with pytest.raises(DataError, match=complaint):
        read_tied_histories(*paths)


def test_columns_that_nobody_reads_are_named(tmp_path: Path) -> None:
    paths = tmp_path / "histories.csv", tmp_path / "ties.csv"
    paths[0].write_text("user,item,rating\na,1,5\nb,2,1\n")
    paths[1].write_text("user,friend,weight,since\na,b,0.5,2020\n")
    with pytest.warns(RunWarning) as told:
        read_tied_histories(*paths)
    assert [str(each.message).partition(";")[0].partition(": ")[2] for each in told] == [
        "not read: the columns 'rating'", "not read: the columns 'weight', 'since'"
    ]  # fmt: skip


def test_histories_in_which_every_item_finds_a_partner_or_none_are_no_fault_of_the_command(tmp_path: Path) -> None:
    tables = tmp_path / "histories.csv", tmp_path / "ties.csv"
    tables[0].write_text("user,item\nu1,i1\nu2,i1\n")
    tables[1].write_text("user,friend\nu1,u2\n")
    with pytest.raises(DataError, match="expected longer histories"):
        measure_ties(read_tied_histories(*tables))


@pytest.mark.parametrize(
    "option",
    [("--seed", "-1"), ("--times", "99"), ("--times", "10001"), ("--relabellings", "0"), ("--relabellings", "1001")],
)
def test_the_command_refuses_numbers_that_nothing_can_be_drawn_with(tmp_path: Path, option: tuple[str, str]) -> None:
    alone = typer.Typer()
    alone.command()(ties_command)
    found = CliRunner().invoke(alone, ["histories.csv", "ties.csv", *option])
    assert (found.exit_code, option[0] in found.output) == (2, True)


def test_numbers_that_give_no_interval_or_no_end_are_refused() -> None:
    for times in (1, 10_001):  # of one resample the ends of an interval are the figure itself
        with pytest.raises(ConfigError, match="expected 100 to 10,000"):
            measure_ties(households(0), times=times)
    for numbers in ({"relabellings": 0}, {"relabellings": 1001}, {"neighbours": (0,)}):
        with pytest.raises(ConfigError, match="expected 1 to 1,000, and at least 1 neighbour"):
            measure_ties(households(0), **numbers)


@pytest.mark.skipif(
    "LASTFM_TIES" not in os.environ, reason="LASTFM_TIES names no folder with plays.tsv and friends.tsv"
)
def test_ties_of_lastfm_add_to_the_shipped_item_knn_and_exchanged_people_do_not() -> None:
    folder = Path(os.environ["LASTFM_TIES"])
    found = measure_ties(read_tied_histories(folder / "plays.tsv", folder / "friends.tsv"), times=200, neighbours=(50,))
    (gain,) = found.gains
    assert gain.gain.value >= 0.010
    assert gain.gain.low is not None
    assert gain.gain.low > 0
    assert abs(gain.placebo.value) < 0.002

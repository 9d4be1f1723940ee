"""Who told whom and what came of it, as counted by hand; and a run beside the same world without ties."""

from __future__ import annotations

import json
import math
import sqlite3
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import typer
import yaml
from typer.testing import CliRunner

from groundlings.environments.datasets.config import ToyOptions
from groundlings.environments.datasets.toy import make_toy
from groundlings.environments.errors import RunDirectoryError
from groundlings.environments.ties import Ties
from groundlings.experiments.analysis.report.social_sentences import social_lines
from groundlings.experiments.cli.word_of_mouth import word_of_mouth as word_of_mouth_command
from groundlings.experiments.config.loading import load_config
from groundlings.experiments.labs.resampling import Resamples, interval
from groundlings.experiments.labs.word_of_mouth import figures
from groundlings.experiments.labs.word_of_mouth.cascades import cascades_of
from groundlings.experiments.labs.word_of_mouth.reached import reached, reached_shares
from groundlings.experiments.labs.word_of_mouth.spreads import spread_in
from groundlings.experiments.labs.word_of_mouth.told import ArmLog, told_in
from groundlings.experiments.running.run import run_experiment
from groundlings.personas.population import build_population
from groundlings.personas.social.options import SocialOptions, TiesOptions
from groundlings.personas.social.spread import spread_of
from groundlings.personas.social.word_of_mouth import WordOfMouth

EVERYBODY = Resamples(np.ones((1, 4)))


@pytest.fixture(scope="module")
def toy_population():
    """Twenty users of toy data, all of them agents."""
    toy = make_toy(ToyOptions(n_users=20, n_items=30, n_groups=3, interactions_per_user=8))
    return build_population(toy, toy.interactions, size="all", seed=1)


@pytest.fixture
def heard(toy_population, tmp_path):
    """Ties of a chain 0 - 1 - 2 - 3, and all is mentioned for two days."""
    ids = toy_population.people.user_ids
    rows = [f"{one},{other}" for one, other in pairwise(ids[:4])]
    (tmp_path / "ties.csv").write_text("\n".join(["user,friend", *rows]))
    return WordOfMouth(TiesOptions(ties="ties.csv", days=2), toy_population, tmp_path)


def arm(population, *rows: tuple[int, int, int, float]) -> ArmLog:
    """Agents who clicked all that they were shown: user, item, day, rating."""
    taken = pd.DataFrame(rows, columns=["user", "item", "day", "rating"]).sort_values("day", kind="stable")
    shown = taken[["user", "item", "day"]].assign(rank=0, pscore=1.0, clicked=True)
    return ArmLog(shown, taken, population.train.n_users, population.train.n_items)


def test_a_like_travels_along_a_chain_while_it_is_remembered(heard, toy_population):
    log = arm(toy_population, (0, 7, 0, 5.0), (1, 7, 1, 4.0), (2, 7, 3, 5.0), (3, 7, 9, 5.0), (1, 8, 0, 1.0))
    told = told_in(log, heard)
    found = {tuple(row) for row in told[["teller", "hearer", "item", "day", "mention"]].itertuples(index=False)}
    assert {(0, 1, 7, 0, "liked"), (1, 2, 7, 1, "liked"), (1, 0, 8, 0, "disliked")} <= found
    assert len(found) == 8  # the ends of the chain have one tie, the others two: 1 + 2 + 2 + 1 of item 7, 2 of item 8
    shown = told.set_index(["teller", "hearer", "item"]).shown_on
    assert shown[0, 1, 7] == 1
    assert shown[1, 2, 7] == 3
    assert math.isnan(shown[2, 3, 7])  # six days later it is forgotten
    trees = cascades_of(log, told, heard.days)
    assert sorted(trees.sizes.tolist()) == [1, 1, 3]
    assert trees.depth.max() == 2
    assert set(trees.users[trees.told].tolist()) == {1, 2}


def test_what_reached_whom_is_counted_by_day_of_telling(heard, toy_population):
    log = arm(toy_population, (0, 7, 0, 5.0), (1, 7, 1, 4.0), (2, 7, 3, 5.0), (3, 7, 9, 5.0), (1, 8, 0, 1.0))
    said = pd.DataFrame({"teller": [0], "hearer": [1], "item": [7], "day": [0]})
    shown = log.impressions.assign(clicked=[True, True, None, False, True])  # of 1 and item 7 it is not known
    found = reached(told_in(replace(log, impressions=shown, said=said), heard)).set_index(["hearer", "day"])
    assert found.loc[(1, 0)].tolist() == [2, 2, 0, 0]  # 0 likes item 7, and says so
    assert found.loc[(2, 1)].tolist() == [1, 1, 1, 0]  # shown on day 3, not opened
    assert found.told.sum() == 6 + 1  # dislikes are not counted
    shares = reached_shares(told_in(replace(log, said=said), heard), Resamples(np.ones((1, 20))))
    assert shares["tellings per agent"] == pytest.approx([7 / 20])
    assert shares["told and shown"] == pytest.approx([3 / 7])
    assert shares["told and opened"] == pytest.approx([1.0])


def test_trees_of_a_spread_as_counted_by_hand(heard, toy_population):
    options = SocialOptions(
        ties="ties.csv", likes=0, spread={"model": "independent_cascade", "chance": 1.0, "weight": 1.0}
    )
    log = arm(toy_population, (0, 7, 0, 5.0), (2, 7, 1, 5.0), (3, 8, 0, 1.0))
    found = spread_in(log, heard, spread_of(options, heard.ties, toy_population), days=3)
    # 0 tells 1 in the first night. 2 likes the item by itself the day after, and tells 3.
    nodes = dict(zip(found.trees.users.tolist(), found.trees.depth.tolist(), strict=True))
    assert nodes == {0: 0, 1: 1, 2: 0, 3: 1}
    assert sorted(found.trees.sizes.tolist()) == [2, 2]
    assert found.reached[:4].tolist() == [0, 1, 0, 1]


def test_figures_of_four_agents():
    taken = sp.csr_array(np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 2]], dtype=float))
    categories = np.array([[1, 0], [0, 1], [0, 1]], dtype=bool)
    assert figures.category_entropy(taken, categories, EVERYBODY) == pytest.approx(
        [-(0.4 * np.log2(0.4) + 0.6 * np.log2(0.6))]
    )
    # Of the 18 ordered pairs of what two different agents took, the two of agents 0 and 1 are one item.
    assert figures.same_item(taken, EVERYBODY) == pytest.approx([2 / 18])
    ties = Ties.of(np.array([0, 0]), np.array([1, 2]), 4)
    assert figures.same_item_of_ties(taken, ties, EVERYBODY) == pytest.approx([1 / 2])
    assert figures.external_internal(ties, np.array([0, 0, 1, -1])) == 0
    assert figures.external_internal(ties, np.array([0, 0, 0, 0])) == -1
    opinions = np.array([[1.0, 0.0], [0.0, 1.0], [np.nan, np.nan], [0.5, 0.5]])
    assert figures.opinion_variance(opinions, EVERYBODY) == pytest.approx([2 * np.var([1, 0, 0.5])])
    assert figures.strongest(opinions).tolist() == [0, 1, -1, 0]


def test_an_item_without_a_category_cuts_neither_across_nor_not():
    shown = pd.DataFrame({"user": [0, 0, 0, 1, 2], "item": [0, 1, 2, 1, 2]})
    categories = np.array([[True, False], [False, True], [False, False]])
    liked_most = np.array([0, 1, -1, 0])  # of agent 2 none is known
    assert figures.cross_cutting(shown, categories, liked_most, EVERYBODY) == pytest.approx([1 / 3])
    assert figures.without_category(shown, categories, liked_most) == 1


def test_figures_of_one_agent_or_one_pair_have_no_interval():
    resamples = Resamples.draw(4, 100, np.random.default_rng(0))
    one = sp.csr_array(np.array([[1, 0], [0, 0], [0, 0], [0, 0]], dtype=float))
    pair = sp.csr_array(np.array([[1, 0], [2, 1], [0, 0], [0, 0]], dtype=float))
    opinions = np.array([[0.3, 0.7], [np.nan, np.nan], [np.nan, np.nan], [np.nan, np.nan]])
    ties = Ties.of(np.array([0]), np.array([1]), 4)
    for found in (
        figures.category_entropy(one, np.eye(2, dtype=bool), resamples), figures.opinion_variance(opinions, resamples),
        figures.same_item(pair, resamples), figures.same_item_of_ties(pair, ties, resamples),
    ):  # fmt: skip
        assert not np.isnan(found[0])
        assert interval(found) == (None, None)


@pytest.mark.parametrize("weights", [(2.0, 1.0, 0.0, 1.0)])
def test_an_agent_who_is_drawn_twice_is_not_paired_with_itself(weights):
    taken = sp.csr_array(np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=float))
    found = figures.same_item(taken, Resamples(np.array([weights])))
    assert found == pytest.approx([(2 * 2 * 1) / (2 * (2 * 1 + 2 * 1 + 1 * 1))])


EXPERIMENT = {
    "name": "social", "seed": 3,
    "dataset": {"name": "toy", "toy": {"n_users": 40, "n_items": 60, "interactions_per_user": 12}},
    "simulation": {"days": 3}, "held_out": False,
    "metrics": ["shipped", "told_per_day", "told_and_shown", "told_and_opened"],
    "mind": {
        "kind": "behavioural",
        "social": {
            "ties": {"generator": "homophily", "begun": 3, "candidates": 9}, "likes": 3.0,
            "spread": {"model": "linear_threshold", "weight": 1.0},
            "opinions": {"model": "degroot", "trust": 0.5, "experience": 0.2, "weight": 1.0},
        },
    },
    "arms": [{"name": "popular", "recommender": "popular"}, {"name": "chance", "recommender": "random_order"}],
}  # fmt: skip


def test_a_run_beside_the_same_world_without_ties(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "groundlings.experiments.analysis.report.write_report",
        lambda directory, *_: (directory / "report.html").write_text("drawn"),
    )
    for name, mind in (("with", EXPERIMENT["mind"]), ("without", "behavioural")):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({**EXPERIMENT, "mind": mind}))
        run_experiment(load_config(tmp_path / f"{name}.yaml"), tmp_path / name)

    app = typer.Typer()
    app.command()(word_of_mouth_command)

    def ask(run: str, without: str, *options: str):
        return CliRunner().invoke(app, [str(tmp_path / run), str(tmp_path / without), *options])

    told, beside = tmp_path / "told.csv", tmp_path / "with" / "word_of_mouth.json"
    found = ask("with", "without", "--told", str(told), "--json", str(beside))
    assert found.exit_code == 0, found.output
    assert "chance (control: random lists)" in found.output
    assert "generated: nobody has them" in found.output
    assert "deepest spread" in found.output
    assert "opinion variance" in found.output
    assert "E-I by opinion" in found.output
    rows = pd.read_csv(told)
    assert set(rows.arm) == {"popular", "chance"}
    assert (rows.teller != rows.hearer).all()
    with_ties, without = (_means(tmp_path / name) for name in ("with", "without"))
    for name, metrics in with_ties.items():
        liked = (rows.arm == name) & (rows.mention == "liked")
        assert metrics["told_per_day"] == pytest.approx(liked.sum() / 40 / 3)
        assert 0 <= metrics["told_and_opened"] <= 1
    assert {metrics["told_per_day"] for metrics in without.values()} == {None}, "what is not known is not zero"
    lines = social_lines(tmp_path / "with")
    assert lines[0].startswith("popular, interactions per agent: ")
    assert sum(line.startswith("chance (random lists), ") for line in lines) == 2
    beside.write_text(json.dumps({**json.loads(beside.read_text()), "digest": "other"}))
    assert social_lines(tmp_path / "with") == (
        "word_of_mouth.json is of another run than this one, so what ties did is not told",
    )
    beside.write_text("{}")
    with pytest.raises(RunDirectoryError, match="not a file of `groundlings word-of-mouth --json`"):
        social_lines(tmp_path / "with")
    assert (rows.shown_on.dropna() > rows.day[rows.shown_on.notna()]).all()
    written = ask("with", "without", "--times", "100", "--told", str(tmp_path / "told.PARQUET"))
    assert written.exit_code == 0, written.output
    assert len(pd.read_parquet(tmp_path / "told.PARQUET")) == len(rows)
    for option, place, complaint in (
        ("--told", "told.xlsx", "ends in .csv or .parquet"), ("--told", "nowhere/told.csv", "there is no directory"),
        ("--json", "nowhere/told.json", "there is no directory"), ("--json", "with", "is a directory"),
    ):  # fmt: skip
        assert complaint in str(ask("with", "without", option, str(tmp_path / place)).exception)
    with sqlite3.connect(tmp_path / "with" / "log.db") as log:
        some = "SELECT impression_id FROM impressions LIMIT 7"
        log.execute(f"UPDATE impressions SET clicked = NULL WHERE impression_id IN ({some})")
    lost = ask("with", "without", "--times", "100", "--json", str(tmp_path / "lost.json"))
    assert "what agents did with 7 impressions of lost pages" in " ".join(lost.output.split())
    assert json.loads((tmp_path / "lost.json").read_text())["unknown"] == 7
    assert json.loads((tmp_path / "lost.json").read_text())["without_category"] == 0
    monkeypatch.setattr(figures, "without_category", lambda *_: 2)
    untold = ask("with", "without", "--times", "100")
    assert "whether 8 impressions of items without a category" in " ".join(untold.output.split())
    assert ask("with", "without", "--times", "1").exit_code == 2
    assert "expected one whose agents have ties" in str(ask("without", "without").exception)
    assert "its agents have ties" in str(ask("with", "with").exception)
    for name, of in (("without", "ran with the data 0123"), ("with", "data: 0123")):  # the last, because it spoils both
        with sqlite3.connect(tmp_path / name / "log.db") as log:
            log.execute("UPDATE runs SET dataset_hash = '0123456789abcdef'")
        assert of in str(ask("with", "without").exception)


def _means(run):
    """Arm -> metric -> mean over agents."""
    arms = json.loads((run / "summary.json").read_text())["arms"]
    return {arm["name"]: {name: each["mean"] for name, each in arm["metrics"].items()} for arm in arms}

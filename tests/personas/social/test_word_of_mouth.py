"""Agents hear from their ties what was liked, as counted by hand, and from nobody else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments.arrays import FloatArray
from groundlings.environments.errors import ConfigError, DataError, RunDirectoryError, RunWarning
from groundlings.environments.interactions import Interactions
from groundlings.environments.page import Page
from groundlings.experiments.running.run import resume_experiment, run_experiment
from groundlings.personas.contract import MindContract
from groundlings.personas.mind import Shown
from groundlings.personas.minds.behavioural import BehaviouralMind, BehaviouralOptions
from groundlings.personas.social.generated import small_world
from groundlings.personas.social.options import SmallWorld, SocialOptions, TiesOptions
from groundlings.personas.social.word_of_mouth import WordOfMouth
from groundlings.simulator.log.writer import LogWriter

WEIGHTS = SocialOptions(ties=Path("ties.csv"), likes=1.0, dislikes=-2.0)
GENERATED = {"generator": "watts_strogatz", "neighbours": 4, "rewired": 0.2}
SPREAD = {"model": "independent_cascade", "chance": 0.4, "weight": 2.0}
OPINIONS = {"model": "degroot", "trust": 0.5, "experience": 0.2, "weight": 8.0}
ALL_OF_IT = {
    "kind": "behavioural",
    "social": {"ties": "ties.csv", "likes": 2.0, "spread": SPREAD, "opinions": OPINIONS},
}
"""Whatever ties can do to an agent, in one mind."""


@pytest.fixture
def heard(toy_population, tmp_path):
    """Makes word of mouth among users 0 to 3, of whom 0 knows 1 and 2, in a table that also names a stranger."""
    ids = toy_population.people.user_ids
    rows = [(ids[0], ids[1]), (ids[2], ids[0]), (ids[0], "stranger")]
    (tmp_path / "ties.csv").write_text("\n".join(["user,friend", *(",".join(row) for row in rows)]))

    def make(**options) -> WordOfMouth:
        return WordOfMouth(TiesOptions(ties=Path("ties.csv"), **options), toy_population, tmp_path)

    return make


def rated(population, *rows: tuple[int, int, float]) -> Interactions:
    users, items, stars = np.array(rows).T
    train = population.train
    return Interactions.of(
        users.astype(int), items.astype(int), stars, np.zeros(len(rows), dtype=int),
        n_users=train.n_users, n_items=train.n_items, synthetic=True,
    )  # fmt: skip


def odds(found: WordOfMouth, *items: int) -> FloatArray:
    """What users 0 to 3 have heard of some items."""
    page = Page(1, 0, np.tile(items, (4, 1)).astype(np.int32))
    return WEIGHTS.log_odds(*found.told(page, np.arange(4)))


def test_likes_and_dislikes_of_ties_count_once_each(heard, toy_population):
    found = heard()
    day = rated(toy_population, (1, 7, 5.0), (2, 7, 4.0), (2, 8, 1.0), (1, 9, 3.0), (3, 7, 5.0), (0, 7, np.nan))
    found.notice(0, day)
    assert odds(found, 7, 8, 9)[0] == pytest.approx([np.log(3), -2 * np.log(2), 0])
    assert not odds(found, 7, 8, 9)[1:].any()  # the only tie of 1 and 2 gave no rating, and 3 has none
    found.notice(1, rated(toy_population, (1, 7, 5.0)))
    assert odds(found, 7)[0] == pytest.approx([np.log(3)])
    assert found.describe()["rows_left_out"] == 1


def test_what_was_heard_is_forgotten(heard, toy_population):
    found, silence = heard(days=2), rated(toy_population, (3, 3, 3.0))
    found.notice(0, rated(toy_population, (1, 7, 5.0)))
    found.notice(1, silence)
    assert odds(found, 7)[0] > 0
    found.notice(2, silence)
    assert not odds(found, 7).any()


def test_a_mention_is_a_matter_of_who_what_and_when(heard, toy_population):
    day = [(1, item, 5.0) for item in range(60)]
    first, second = heard(mention=0.5), heard(mention=0.5)
    first.notice(0, rated(toy_population, *day))
    second.notice(0, rated(toy_population, *day[::-1], (2, 3, 3.0)))
    there = odds(first, *range(60))
    assert (there == odds(second, *range(60))).all()
    assert 15 < (there[0] > 0).sum() < 45
    nobody = heard(mention=0.0)
    nobody.notice(0, rated(toy_population, *day))
    assert not odds(nobody, *range(60)).any()


@given(st.integers(5, 30), st.sampled_from([2, 4]), st.floats(0, 1), st.integers(0, 99))
def test_generated_ties_join_agents_alone(size: int, neighbours: int, rewired: float, seed: int) -> None:
    users = np.arange(size) * 2
    options = SmallWorld(generator="watts_strogatz", neighbours=neighbours, rewired=rewired)
    graph = small_world(options, users, 60, seed).graph
    known = np.diff(graph.indptr)
    assert not known[1::2].any()
    assert graph.nnz <= size * neighbours
    if rewired == 0:
        assert (known[users] == neighbours).all()


def test_more_neighbours_than_agents_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"mind\.social\.ties\.neighbours: found 4 with 4 agents"):
        small_world(SmallWorld(**GENERATED), np.arange(4), 4, 0)


def test_ties_of_nobody_in_the_data_are_refused(toy_population, tmp_path):
    (tmp_path / "ties.csv").write_text("user,friend\nx,y\n")
    with pytest.raises(DataError, match="none of its 1 row joins two people of the data set"):
        WordOfMouth(TiesOptions(ties=Path("ties.csv")), toy_population, tmp_path)


def test_ties_to_people_who_are_no_agents_are_none_of_the_ties(toy_population, tmp_path):
    ids = toy_population.people.user_ids
    few = replace(toy_population, users=toy_population.users[:3])
    (tmp_path / "ties.csv").write_text(f"user,friend\n{ids[0]},{ids[1]}\n{ids[1]},{ids[9]}\n{ids[8]},{ids[9]}\n")
    with pytest.warns(RunWarning, match=r"ties\.csv: 2 ties lead to people who are no agents; nothing"):
        found = WordOfMouth(TiesOptions(ties=Path("ties.csv")), few, tmp_path)
    assert (len(found.ties), found.describe()["ties_left_out"]) == (1, 2)
    (tmp_path / "ties.csv").write_text(f"user,friend\n{ids[0]},{ids[1]}\n{ids[1]},{ids[9]}\n{ids[8]},nobody\n")
    said = r"1 row names somebody who is not in the data set and 1 tie leads to people who are no agents; nothing"
    with pytest.warns(RunWarning, match=said):
        WordOfMouth(TiesOptions(ties=Path("ties.csv")), few, tmp_path)
    (tmp_path / "ties.csv").write_text(f"user,friend\n{ids[0]},{ids[1]}\n{ids[1]},{ids[9]}\n{ids[8]},{ids[9]}\n")
    nobody = replace(toy_population, users=toy_population.users[2:4])
    with pytest.raises(DataError, match="none of its 3 ties joins two of the 2 agents"):
        WordOfMouth(TiesOptions(ties=Path("ties.csv")), nobody, tmp_path)


class TestMindWithTies(MindContract):
    @pytest.fixture(autouse=True)
    def _world(self, toy_population, toy_taste):
        options = BehaviouralOptions(social=SocialOptions(ties=SmallWorld(**GENERATED), likes=3.0))
        self.population, self.taste = toy_population, toy_taste
        self.make_mind = lambda: BehaviouralMind(toy_population, toy_taste, options)

    def test_a_day_of_likes_changes_what_ties_open(self):
        mind, situation = self.make_mind(), self.situation(day=1)
        before = asyncio.run(mind.decide(situation)).trace.probability("click")
        everybody = [(user, item, 5.0) for user in self.population.users for item in range(self.n_items)]
        nobody = np.zeros(0, dtype=np.int64)
        mind.notice(0, rated(self.population, *everybody), Shown(nobody, nobody))
        after = asyncio.run(mind.decide(situation)).trace.probability("click")
        assert (after[situation.page.shown] > before[situation.page.shown]).all()

    @pytest.mark.parametrize("moved", [{"spread": SPREAD}, {"opinions": {**OPINIONS, "trust": 0, "experience": 1}}])
    def test_a_day_of_likes_of_one_category_moves_its_items(self, moved):
        social = SocialOptions(ties=SmallWorld(**GENERATED), likes=0.0, **moved)
        mind = BehaviouralMind(self.population, self.taste, BehaviouralOptions(social=social))
        situation = self.situation(day=1)
        before = asyncio.run(mind.decide(situation)).trace.probability("click")
        categories = self.population.catalog.genre_matrix
        of_one = categories[:, 0] & (categories.sum(axis=1) == 1)
        liked = [(user, item, 5.0) for user in self.population.users for item in np.flatnonzero(of_one)]
        nobody = np.zeros(0, dtype=np.int64)
        mind.notice(0, rated(self.population, *liked), Shown(nobody, nobody))
        after = asyncio.run(mind.decide(situation)).trace.probability("click")
        moves = situation.page.shown & of_one[situation.page.items]
        assert (after[moves] >= before[moves]).all()  # opinions of whoever liked nothing else before stay
        assert (after > before)[moves].mean() > 0.5


def test_workers_hear_what_one_process_hears(start, tmp_path):
    alone = run_experiment(start(mind=ALL_OF_IT), tmp_path / "alone").digest
    pool = start(mind=ALL_OF_IT, execution={"engine": "pool", "workers": 2})
    assert run_experiment(pool, tmp_path / "pool").digest == alone
    assert run_experiment(start(mind="behavioural"), tmp_path / "without").digest != alone


def test_a_run_that_was_cut_short_is_resumed_with_what_was_heard(start, tmp_path, monkeypatch):
    whole = run_experiment(start(mind=ALL_OF_IT), tmp_path / "whole").digest
    write, written = LogWriter.write, []

    def failing(self, *arguments, **named):
        written.append(named["sim_time"])
        if len({*written}) == 3:
            raise RunDirectoryError("out of luck")
        write(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(LogWriter, "write", failing)
        with pytest.raises(RunDirectoryError, match="out of luck"):
            run_experiment(start(mind=ALL_OF_IT), tmp_path / "run")
    assert resume_experiment(tmp_path / "run").digest == whole

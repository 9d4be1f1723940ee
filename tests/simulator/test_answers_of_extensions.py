"""What recommenders and minds of others answer, and what they do to arrays that all arms share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from groundlings import Experiment
from groundlings.environments.dataset import RatingScale
from groundlings.environments.decision import Decision
from groundlings.environments.environment import Observation
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.ranking import Ranking, RankingRequest, top_items
from groundlings.personas.mind import FEED_ACTIONS, Situation
from groundlings.recommenders.base import Recommender

TOY = {"name": "toy", "toy": {"n_users": 12, "n_items": 20, "interactions_per_user": 6}}


def experiment(arm: object = "popular", mind: object = "behavioural") -> Experiment:
    site = {"page_size": 3, "max_pages": 1}
    return Experiment(dataset=TOY, arms={"mine": arm}, mind=mind, seed=7, days=1, population=4, site=site)


def recommender(answer: Callable[[Ranking, RankingRequest], object], fit: Callable[..., None] | None = None) -> object:
    class Mine(Recommender):
        def fit(self, interactions, catalog):
            self.n_items = len(catalog)
            if fit is not None:
                fit(interactions, catalog)

        def recommend(self, request):
            return answer(top_items(np.zeros((len(request), self.n_items)), request), request)

    return lambda: Mine()


def mind(decide: Callable[[Situation, Decision], object], size: object = 4096, described: object = None) -> object:
    class Mine:
        cohort_size, actions = size, FEED_ACTIONS

        async def decide(self, situation):
            return decide(situation, Decision.of(situation.legal, situation.page, click=situation.page.shown))

        def describe(self):
            return {"kind": "mine"} if described is None else described

    return lambda context: Mine()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda ranking, request: None, "its answer is a NoneType; expected a Ranking"),
        (lambda ranking, request: iter(()), "expected a Ranking"),
        (lambda ranking, request: replace(ranking, items=ranking.items.tolist()), "ranking.items is a list"),
        (lambda ranking, request: replace(ranking, items=ranking.items * 1.0), "ranking.items holds float64 values"),
        (lambda ranking, request: replace(ranking, scores=ranking.scores * 1j), "ranking.scores holds complex128"),
        (lambda ranking, request: replace(ranking, explored=ranking.items + 7), "ranking.explored holds other values"),
        (lambda ranking, request: replace(ranking, propensity_kind="odd"), "ranking.propensity_kind is 'odd'"),
        (lambda ranking, request: replace(ranking, propensities=ranking.scores * np.nan), "propensities must lie in"),
    ],
)
def test_an_answer_that_is_no_ranking_is_one_message(answer, said: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=f"recommender Mine: .*{said}"):
        experiment(recommender(answer)).run(tmp_path / "run")


@pytest.mark.parametrize("column", ["users", "items", "ratings", "timestamps", "synthetic"])
def test_no_recommender_can_change_the_history_that_all_arms_share(column: str, tmp_path: Path):
    def fit(interactions, catalog):
        getattr(interactions, column)[:] = 0

    with pytest.raises(ValueError, match="read-only"):
        experiment(recommender(lambda ranking, request: ranking, fit)).run(tmp_path / "run")


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
def test_no_recommender_can_change_the_matrix_that_all_arms_share(part: str, tmp_path: Path):
    def fit(interactions, catalog):
        getattr(interactions.matrix, part)[:] = 0

    with pytest.raises(ValueError, match="read-only"):
        experiment(recommender(lambda ranking, request: ranking, fit)).run(tmp_path / "run")


def test_no_recommender_can_change_who_is_here(tmp_path: Path):
    def answer(ranking, request):
        request.users[:] = 0
        return ranking

    with pytest.raises(ValueError, match="read-only"):
        experiment(recommender(answer)).run(tmp_path / "run")


@pytest.mark.parametrize(
    "part",
    [
        lambda situation: situation.page.items,
        lambda situation: situation.sessions.users,
        lambda situation: situation.sessions.agents,
        lambda situation: situation.rows,
    ],
)
def test_no_mind_can_change_what_was_shown_or_who_saw_it(part, tmp_path: Path):
    def decide(situation, decision):
        part(situation)[:] = 0
        return decision

    with pytest.raises(ValueError, match="read-only"):
        experiment(mind=mind(decide)).run(tmp_path / "run")


def clicking(cells: Callable[[np.ndarray], object]) -> Callable[[Situation, Decision], Decision]:
    return lambda situation, decision: decision.taking(click=cells(situation.page.shown))


@pytest.mark.parametrize(
    ("decide", "said"),
    [
        (lambda situation, decision: None, "decide gave NoneType; expected a Decision"),
        (clicking(lambda shown: shown * 0.7), "click holds float64 values; expected True or False"),
        (clicking(lambda shown: shown * 5), "click holds int64 values"),
        (clicking(lambda shown: shown.tolist()), "click is a list"),
        (clicking(lambda shown: shown[:, :1]), r"click has the shape \(4, 1\), and page 1 has \(4, 3\)"),
        (lambda situation, decision: replace(decision, unreadable=np.zeros(4)), "unreadable holds float64 values"),
        (
            lambda situation, decision: replace(decision, unreadable=np.zeros(0, bool)),
            r"unreadable has the shape \(0,\)",
        ),
    ],
)
def test_a_decision_that_fits_no_page_is_one_message(decide, said: str, tmp_path: Path):
    with pytest.raises(ConfigError, match=f"mind: {said}"):
        experiment(mind=mind(decide)).run(tmp_path / "run")


@pytest.mark.parametrize("size", [0, -3, 2.5, "many", True, None])
def test_cohorts_have_a_size(size: object, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"cohort_size is .*; expected a whole number from 1"):
        experiment(mind=mind(lambda situation, decision: decision, size)).run(tmp_path / "run")


def test_a_mind_describes_itself(tmp_path: Path):
    with pytest.raises(ConfigError, match="expected a mapping"):
        experiment(mind=mind(lambda situation, decision: decision, described="mine")).run(tmp_path / "run")


def without_end(value):
    while True:
        yield value


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda users, k: without_end(["i1"]), "returned more than 4 lists for 4 users"),
        (lambda users, k: [without_end("i1") for _ in users], "listed item 'i1' twice"),
        (lambda users, k: [{"i1", "i2"} for _ in users], "returned a set for user .*; expected items in an order"),
        (lambda users, k: [{"i1": 1.0}.keys() for _ in users], "returned a dict_keys for user"),
    ],
)
def test_lists_have_an_end_and_an_order(function, said: str, tmp_path: Path):
    with pytest.raises(DataError, match=said):
        experiment(function).run(tmp_path / "run")


def environment(observed: Callable[[Observation], object], ended: object = None, **said: object) -> object:
    class Mine(PaginatedFeed):
        async def observe(self, state, rank):
            observation = await super().observe(state, rank)
            return None if observation is None else observed(observation)

        def apply(self, state, observation, decision):
            after = super().apply(state, observation, decision)
            return after if ended is None else replace(after, ended_by=np.full(len(after.ended_by), ended))

    made = Mine(3, 1, RatingScale())
    for name, value in said.items():
        object.__setattr__(made, name, value)
    return made


def with_items(change: Callable[[np.ndarray], object]) -> Callable[[Observation], Observation]:
    return lambda seen: replace(seen, page=replace(seen.page, items=change(seen.page.items)))


def offering(**available: np.ndarray) -> Callable[[Observation], Observation]:
    return lambda seen: replace(seen, legal=replace(seen.legal, available=available))


@pytest.mark.parametrize(
    ("observed", "said"),
    [
        (lambda seen: "a page", "observe gives 'a page'; expected an Observation"),
        (
            lambda seen: replace(seen, rows=seen.rows * 0),
            r"the rows of an observation are \[0, 0, 0, 0\]; expected asc",
        ),
        (lambda seen: replace(seen, rows=seen.rows + 9), "expected ascending numbers below 4"),
        (
            lambda seen: replace(seen, page=replace(seen.page, number=-1)),
            "page -1 follows page 0; expected the next one",
        ),
        (lambda seen: replace(seen, page=replace(seen.page, number=7)), r"up to max_pages \(1\)"),
        (
            lambda seen: replace(seen, page=replace(seen.page, first_rank=-7)),
            "first_rank of page 1 is -7; expected how many slots",
        ),
        (lambda seen: replace(seen, legal=None), "legal actions of page 1 are None; expected LegalActions"),
        (offering(clikc=np.ones((4, 3), bool)), "page 1 offers 'clikc'; expected one of click,"),
        (offering(next_page=np.ones(5, bool)), r"offers next_page has the shape \(5,\) of bool; expected \(4,\)"),
        (lambda seen: replace(seen, served=None), "served.scores has another shape"),
        (with_items(lambda items: items * 0 - 5), r"shows an item outside 0\.\.19"),
        (with_items(lambda items: items * 0), "shows an item twice to one user"),
        (with_items(lambda items: items * 0.5), r"have the shape \(4, 3\) of float64"),
        (with_items(lambda items: np.tile(items, 2)), r"at most page_size, which is 3\)"),
    ],
)
def test_an_observation_that_breaks_a_promise_is_one_message_and_is_not_logged(observed, said: str, tmp_path: Path):
    asked = Experiment(
        dataset=TOY, arms={"a": "popular"}, environment=environment(observed), mind="behavioural", seed=7, days=1,
        population=4,
    )  # fmt: skip
    with pytest.raises(ConfigError, match=f"environment Mine: .*{said}"):
        asked.run(tmp_path / "run")


def test_a_session_ends_in_a_way_that_the_log_knows(tmp_path: Path):
    odd = environment(lambda seen: seen, ended="bored")
    asked = Experiment(
        dataset=TOY, arms={"a": "popular"}, environment=odd, mind="behavioural", seed=7, days=1, population=4
    )
    with pytest.raises(ConfigError, match="a session ended by 'bored'; expected one of exit, last_page"):
        asked.run(tmp_path / "run")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"page_size": 10**30}, "Mine.page_size is 10.*; expected a whole number from 1 to 100,000"),
        ({"max_pages": float("nan")}, "Mine.max_pages is nan"),
        ({"describe": lambda: None}, r"Mine.describe\(\) gives None; expected a mapping"),
    ],
)
def test_what_an_environment_says_of_itself_is_checked_before_anything_is_simulated(said, told):
    with pytest.raises(ConfigError, match=f"environment: .*{told}"):
        Experiment(
            dataset=TOY, arms={"a": "popular"}, environment=environment(lambda seen: seen, **said), seed=7, days=1
        )


def test_a_mind_that_does_not_wait_is_one_message(tmp_path: Path):
    hasty = mind(lambda situation, decision: decision)(None)
    hasty.decide = lambda situation: 5
    with pytest.raises(ConfigError, match="mind: decide gave int at once; write it as `async def decide`"):
        experiment(mind=lambda context: hasty).run(tmp_path / "run")

"""What recommenders and minds of others answer, and what they do to arrays that all arms share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from groundlings import Experiment
from groundlings.environments.decision import Decision
from groundlings.environments.errors import ConfigError, DataError
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

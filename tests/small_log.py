"""A small real log: made by the simulator itself, with made-up people, hostile titles and every way to go wrong."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from groundlings.environments.actions import Action, lay_out
from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.catalog import Catalog
from groundlings.environments.chat import CallRecord, ChatReply, ChatRequest, Message
from groundlings.environments.dataset import Dataset, RatingScale
from groundlings.environments.decision import Decision
from groundlings.environments.feed import PaginatedFeed
from groundlings.environments.interactions import Interactions
from groundlings.environments.people import People
from groundlings.environments.trace import Trace
from groundlings.personas.mind import FEED_ACTIONS
from groundlings.personas.population import build_population
from groundlings.recommenders.base import ScoringRecommender
from groundlings.simulator.arm import Arm
from groundlings.simulator.days import Schedule, live_together
from groundlings.simulator.log.digest_version import WITH_DIGEST
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.log.writer import ArmRow, LogWriter

PEOPLE, ITEMS, DAYS = 16, 48, 2
NEVER_RATES, NEVER_READABLE, NOTHING_LEFT = 3, 5, 7
"""Users with a peculiarity each, by row number."""

HOSTILE_TITLE = "<script>alert('title')</script> & \"Sons\""
HOSTILE_FEELING = "</p><img src=x onerror=alert(1)>"


class FixedScores(ScoringRecommender):
    """Scores that depend on a seed, a user and an item; the person without anything left gets an empty list."""

    def __init__(self, seed: int, quality: float) -> None:
        self._seed, self._quality = seed, quality

    def fit(self, interactions, catalog):
        rng = np.random.default_rng(self._seed)
        self._scores = rng.random((interactions.n_users, len(catalog)))
        self._scores += self._quality * appeal(interactions.n_users, len(catalog))
        self._scores[NOTHING_LEFT] = -np.inf

    def score(self, users):
        return self._scores[users]

    def state(self):
        return f"state-{self._seed}"


class LivelyMind:
    """Clicks what appeals, talks like a language model, now and then breaks the rules."""

    cohort_size = 1
    actions = FEED_ACTIONS

    async def decide(self, situation):
        user, page, draws = int(situation.sessions.users[0]), situation.page, situation.sessions.draws
        appeals = appeal(PEOPLE, ITEMS)[user]
        call = CallRecord(request_for(page.number), reply_for(user, page.number), "page-1", "p" * 64, "ok")
        if user == NEVER_READABLE:
            return Decision.lost(situation.legal, page, [replace(call, status="unreadable")])
        uniform = draws.uniform("click", page.items)[0]
        told: list[Action] = []
        for slot, item in enumerate(page.items[0]):
            if item != NO_ITEM and uniform[slot] < 0.15 + 0.6 * appeals[item]:
                told.append(Action("click", slot))
                if user != NEVER_RATES:
                    told.append(Action("rate", slot, float(1 + np.floor(4.99 * appeals[item]))))
        if user % 4 == 1:
            told.append(Action("click", 99))
        if draws.uniform("leave")[0] < 0.75 and situation.legal.offers("next_page", page)[0]:
            told.append(Action("next_page"))
        told.append(Action("satisfaction", value=1.0 + round(9 * float(appeals[page.items[0]].mean()))))
        actions, stray = lay_out(situation.legal.schema, page, [told])
        trace = Trace(feelings=(HOSTILE_FEELING if page.number == 1 else None,), calls=(call,))
        return Decision(actions, np.zeros(1, dtype=np.bool_), trace, stray)

    def describe(self):
        return {"kind": "language", "model": "made-up-model"}


def appeal(n_users: int, n_items: int):
    return np.random.default_rng(7).random((n_users, n_items))


def request_for(page: int) -> ChatRequest:
    messages = (Message("system", "You are somebody."), Message("user", f"This is page {page}."))
    return ChatRequest(messages, {}, 100, 0.7, 1)


def reply_for(user: int, page: int) -> ChatReply:
    return ChatReply(
        "{}", "made-up-model", "build-1", 100 + user, 40, 20 + page, 0.1 * (user + page), from_store=user == 0
    )


def small_world() -> Dataset:
    rng = np.random.default_rng(3)
    titles = tuple(HOSTILE_TITLE if item % 10 == 0 else f"Film {item}" for item in range(ITEMS))
    catalog = Catalog(
        item_ids=tuple(f"i{item}" for item in range(ITEMS)),
        titles=titles,
        years=np.where(np.arange(ITEMS) % 7 == 0, np.nan, 1950.0 + np.arange(ITEMS)),
        genres=tuple((("Drama", "Comedy", "War")[item % 3], "Long") if item % 5 else () for item in range(ITEMS)),
    )
    users = np.repeat(np.arange(PEOPLE), 8)
    items = np.concatenate([rng.permutation(ITEMS - 8)[:8] for _ in range(PEOPLE)])
    history = Interactions.of(
        users, items, rng.integers(1, 6, len(users)).astype(float), 1000 + np.arange(len(users)),
        n_users=PEOPLE, n_items=ITEMS,
    )  # fmt: skip
    people = People(
        tuple(f"u{user}" for user in range(PEOPLE)), tuple({"age": str(20 + user)} for user in range(PEOPLE))
    )
    return Dataset("small", catalog, people, history, RatingScale(), "made up", "Nobody's; <b>do</b> as you like.")


def write_log(run_dir: Path, arms: dict[str, tuple[str, FixedScores, bool]], days: int = DAYS) -> Path:
    """Run arms (name -> recommender's name, recommender, whether it is a bound) and log them."""
    dataset = small_world()
    population = build_population(dataset, dataset.interactions, size="all", seed=1)
    run = {
        "run_id": "run-1", "experiment": "small <i>world</i>", "seed": 11, "config": "{}", "config_hash": "c" * 64,
        "dataset": dataset.name, "dataset_hash": dataset.fingerprint, "dataset_source": dataset.source,
        "dataset_licence": dataset.licence, "page_size": 4, "max_pages": 3, "like_from": dataset.scale.like,
        "mind": json.dumps(LivelyMind().describe()), "model_fingerprint": "build-1",
        "versions": json.dumps({"groundlings": "0.1.0", "python": "3.11.2", **WITH_DIGEST}), "synthetic": True,
    }  # fmt: skip
    rows = [ArmRow(name, kind, {}, bound) for name, (kind, _, bound) in arms.items()]
    schedule = Schedule(days=days, concurrency=4, refit_every=0, visit_probability=0.8)
    with LogWriter(run_dir / LOG_NAME) as log:
        log.begin(run, rows, population)
        for name, (_, recommender, _) in arms.items():
            arm = Arm(
                name, population.users, recommender, PaginatedFeed(4, 3, dataset.scale), LivelyMind(), dataset.catalog,
                dataset.interactions, seed=11,
            )  # fmt: skip
            asyncio.run(live_together((arm,), schedule, log, lambda _: None))
        log.close()
    return run_dir


def some_arms() -> dict[str, tuple[str, FixedScores, bool]]:
    return {
        "chance": ("random_order", FixedScores(1, 0.0), False),
        "good & <new>": ("ease", FixedScores(2, 0.5), False),
        "again": ("random_order", FixedScores(1, 0.0), False),
        "best": ("oracle", FixedScores(3, 5.0), True),
    }

"""Events of an environment that is no feed: every declared action, in order, with its value; and its way back."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from groundlings.environments.actions import Action, ActionSchema, ActionSpec, LegalActions, lay_out
from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.catalog import Catalog
from groundlings.environments.decision import Decision
from groundlings.environments.environment import EndedBy, Observation, Served, SessionState
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import RankingRequest
from groundlings.environments.sessions import Sessions
from groundlings.environments.trace import Remark, Trace
from groundlings.simulator.log.store import LOG_NAME
from groundlings.simulator.log.writer import ArmRow, LogWriter
from groundlings.simulator.session import browse

SHOP = ActionSchema(
    (
        ActionSpec("look", per="slot"),
        ActionSpec("grade", per="slot", kind="number", needs="look"),
        ActionSpec("query", per="page", kind="text"),
        ActionSpec("note", per="slot", kind="text"),
        ActionSpec("dwell", per="page", kind="number"),
        ActionSpec("help", per="page"),
    ),
    interaction="look",
    strength="grade",
)
RUN = {
    "run_id": "r1", "experiment": "x", "seed": 1, "config": "{}", "config_hash": "c", "dataset": "toy",
    "dataset_hash": "d", "dataset_source": "made up", "dataset_licence": "none", "page_size": 2, "max_pages": 2,
    "like_from": 4.0, "mind": "{}", "model_fingerprint": None, "versions": "{}", "synthetic": True,
}  # fmt: skip


class Shop:
    """Two pages of two slots, the first perhaps with one item; everybody stays for both."""

    schema, page_size, max_pages = SHOP, 2, 2

    def __init__(self, short=False):
        self.short = short

    async def open(self, sessions, seen, rank):
        return SessionState.arrived(sessions, seen)

    async def observe(self, state, rank):
        number = 1 + int((state.ended_by == EndedBy.LAST_PAGE).any())  # every page ends so; the first is still open
        if not len(state.here):
            return None
        ranking = await rank(RankingRequest(state.sessions.users, 4, state.seen, state.sessions.draws))
        items = ranking.items[:, 2 * number - 2 : 2 * number].copy()
        if self.short and number == 1:
            items[:, 1] = NO_ITEM
        page = Page(number, 2 * number - 2, items)
        return Observation(
            state.here, page, LegalActions(SHOP), Served.part_of(ranking, state.here, page.first_rank, page)
        )

    def apply(self, state, observation, decision):
        staying = np.full(len(observation.rows), observation.page.number < 2)
        return state.after(observation, staying, EndedBy.LAST_PAGE)

    def describe(self):
        return {"kind": "shop"}


class Customer:
    """Says on each page what a script has for it: per page, per session, actions; remarks per page.

    A function of the page's number and the decision may change what was said.
    """

    cohort_size = 9
    actions = SHOP.names

    def __init__(self, pages, remarks=((), ()), change=lambda _number, decision: decision):
        self.pages, self.remarks, self.change = pages, remarks, change

    async def decide(self, situation):
        number = situation.page.number - 1
        actions, stray = lay_out(SHOP, situation.page, self.pages[number])
        trace = Trace(remarks=tuple(self.remarks[number]))
        decision = Decision(actions, np.zeros(len(actions), dtype=np.bool_), trace, stray)
        return self.change(situation.page.number, decision)

    def describe(self):
        return {"kind": "customer"}


class People:
    catalog = Catalog(tuple("abcdef"), tuple("ABCDEF"), np.full(6, np.nan), ((),) * 6)

    def __len__(self):
        return 3

    def persona(self, row):
        return self

    def as_dict(self):
        return {}

    user_id = "u"


@pytest.fixture
def shopping(recommender, tmp_path):
    """Let users 0 and 1 shop by a script; gives the log."""

    def shopped(pages, *further, short=False):
        users = np.arange(2)
        sessions = Sessions(users, users, 0, Draws.for_sessions(1, users, 0))
        mind, path = Customer(pages, *further), tmp_path / LOG_NAME
        record = asyncio.run(
            browse(sessions, sp.csr_array((2, 6)), recommender=recommender, environment=Shop(short), mind=mind)
        )
        with LogWriter(path) as log:
            log.begin(RUN, [ArmRow("first", "popular", {}, False)], People())
            log.write(record, arm="first", sim_time=1000, policy_version="v")
        return path

    return shopped


def events(path, session):
    with sqlite3.connect(path) as log:
        return log.execute(
            "SELECT page, kind, impression_id, value, detail FROM events WHERE session_id = ? ORDER BY event_id",
            [session],
        ).fetchall()


QUIET = [[], []]


def test_actions_stand_slot_by_slot_as_declared_then_those_of_the_page_then_its_end(shopping):
    busy = [
        Action("help"), Action("dwell", value=3.5), Action("query", value="more"), Action("note", 1, "dear"),
        Action("grade", 1, 4.0), Action("look", 1), Action("note", 0, "cheap"),
    ]  # fmt: skip
    path = shopping([[[], busy], [[Action("look", 1)], []]])
    assert events(path, 1) == [(1, "exit", None, None, None), (2, "look", 4, None, None), (2, "exit", None, None, None)]
    assert events(path, 2) == [
        (1, "note", 5, None, "cheap"), (1, "look", 6, None, None), (1, "grade", 6, 4.0, None),
        (1, "note", 6, None, "dear"), (1, "query", None, None, "more"), (1, "dwell", None, 3.5, None),
        (1, "help", None, None, None), (1, "exit", None, None, None), (2, "exit", None, None, None),
    ]  # fmt: skip


def test_remarks_and_refusals_stand_behind_the_actions_of_their_slot(shopping):
    remarks = (
        [Remark(1, 1, "star_odds", "[]"), Remark(1, 1, "reason", "liked it"), Remark(0, 0, "grounded", "real")],
        (),
    )
    said = [[], [Action("look", 1), Action("grade", 0, 2.0), Action("look", 8)]]
    path = shopping([said, QUIET], remarks)
    assert events(path, 1)[0] == (1, "grounded", 1, None, "real")
    assert events(path, 2) == [
        (1, "illegal", 5, None, "grade 2: it needs look on the same slot"),
        (1, "look", 6, None, None),
        (1, "reason", 6, None, "liked it"),
        (1, "star_odds", 6, None, "[]"),
        (1, "illegal", None, None, "Look(position=8): the page has slots 0 to 1"),
        (1, "exit", None, None, None),
        (2, "exit", None, None, None),
    ]


def test_a_remark_on_a_later_page_names_that_pages_impression(shopping):
    path = shopping([QUIET, QUIET], ((), [Remark(1, 1, "reason", "late")]))
    assert (2, "reason", 8, None, "late") in events(path, 2)


def test_a_remark_behind_a_short_page_names_its_own_impression(shopping):
    path = shopping([QUIET, QUIET], ((), [Remark(1, 0, "reason", "late"), Remark(1, 1, "reason", "later")]), short=True)
    assert events(path, 2)[1:3] == [(2, "reason", 5, None, "late"), (2, "reason", 6, None, "later")]


def test_the_end_of_a_page_tells_how_it_felt_or_that_it_is_lost_and_what_the_server_said(shopping):
    def told(number, decision):
        if number == 1:
            return replace(decision, trace=replace(decision.trace, feelings=("curious", None)))
        return replace(decision, unreadable=np.array([True, True]), unanswerable=(None, "flagged"))

    path = shopping([QUIET, QUIET], ((), ()), told)
    assert events(path, 1) == [(1, "exit", None, None, "curious"), (2, "unreadable", None, None, None)]
    assert events(path, 2) == [(1, "exit", None, None, None), (2, "unanswerable", None, None, "flagged")]


def test_a_page_that_was_read_ends_as_it_was_said_whatever_the_server_said_of_others(shopping):
    def told(number, decision):
        lost = np.array([False, number == 2])
        feelings = replace(decision.trace, feelings=("curious", "bored"))
        return replace(decision, trace=feelings, unreadable=lost, unanswerable=("not read", "flagged"))

    path = shopping([QUIET, QUIET], ((), ()), told)
    assert [row[1:] for row in events(path, 1)] == [("exit", None, None, "curious")] * 2
    assert [row[1:] for row in events(path, 2)] == [
        ("exit", None, None, "bored"), ("unanswerable", None, None, "flagged")
    ]  # fmt: skip


def test_a_resumed_run_finds_the_interactions_that_the_schema_names_with_their_strength(shopping):
    path = shopping(
        [
            [
                [Action("look", 1)],
                [Action("look", 0), Action("grade", 0, 4.0), Action("note", 1, "not an interaction")],
            ],
            [[], [Action("look", 1), Action("grade", 1, 2.0)]],
        ]
    )
    with LogWriter(path) as log:
        (day,) = log.resume(SHOP).arms["first"].days
    assert day.day == 0
    assert day.agents.tolist() == [0, 1]
    assert day.clickers.tolist() == [0, 1, 1]
    assert day.items.tolist() == [1, 0, 3]
    assert np.array_equal(day.stars, [np.nan, 4.0, 2.0], equal_nan=True)


def test_a_resumed_run_without_a_strength_finds_interactions_without_one(shopping):
    path = shopping([[[Action("look", 1), Action("grade", 1, 3.0)], []], QUIET])
    with LogWriter(path) as log:
        (day,) = log.resume(replace(SHOP, strength=None)).arms["first"].days
    assert day.items.tolist() == [1]
    assert np.isnan(day.stars).all()

"""Where the items of a page come from, and how sessions end."""

from __future__ import annotations

import importlib
import textwrap

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments import environment
from groundlings.environments.actions import ActionSchema, ActionSpec, LegalActions
from groundlings.environments.arrays import NO_ITEM
from groundlings.environments.contract import EnvironmentContract
from groundlings.environments.environment import EndedBy, Environment, Observation, Served, SessionState
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.ranking import Ranking
from groundlings.environments.sessions import Sessions

_EXAMPLE = Environment.__doc__.split("be bought:\n\n")[1].split("`groundlings.")[0]
_NAMES = (
    dict(vars(importlib.import_module(Environment.__module__)))
    | {each.__name__: each for each in (ActionSpec, SessionState)}
    | {"NO_ITEM": NO_ITEM}
)
exec(textwrap.dedent(_EXAMPLE), _NAMES)


class TestKioskOfTheDocstring(EnvironmentContract):
    """The example of `Environment` keeps what every environment promises."""

    def make_environment(self):
        return _NAMES["Kiosk"]()


OPEN = ActionSchema((ActionSpec("open", per="slot"),), interaction="open")


def drafted(lists: int, ranks: int, teams: bool) -> Ranking:
    """Lists whose cells all differ."""
    cells = np.arange(lists * ranks).reshape(lists, ranks)
    return Ranking(
        items=cells.astype(np.int32),
        scores=-cells.astype(float),
        propensities=1 / (cells + 2),
        explored=cells % 3 == 0,
        propensity_kind="exact",
        teams=cells % 2 if teams else None,
    )


@given(st.data(), st.integers(1, 4), st.integers(1, 6), st.integers(1, 4), st.booleans())
def test_a_page_is_served_from_the_ranks_it_shows_and_fillers_stand_behind_the_list(data, lists, ranks, width, teams):
    ranking = drafted(lists, ranks, teams)
    first = data.draw(st.integers(0, ranks - 1))
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, lists - 1), min_size=1))))
    page = Page(1, first, np.full((len(rows), width), NO_ITEM, dtype=np.int32))
    served = Served.part_of(ranking, rows, first, page)
    assert served.propensity_kind == "exact"
    assert (served.teams is None) == (not teams)
    assert served.scores.shape == served.propensities.shape == served.explored.shape == page.items.shape
    for place, row in enumerate(rows):
        for slot in range(width):
            found = (served.scores, served.propensities, served.explored, served.teams)
            found = [None if cells is None else cells[place, slot] for cells in found]
            if first + slot < ranks:
                cell = row * ranks + first + slot
                assert found == [-cell, 1 / (cell + 2), cell % 3 == 0, cell % 2 if teams else None]
            else:
                assert np.isnan(found[0])
                assert found[1:] == [1.0, False, -1 if teams else None]


def test_some_sessions_pages_keep_their_origin():
    for teams in (True, False):
        ranking = drafted(3, 2, teams)
        page = Page(1, 0, ranking.items)
        served = Served.part_of(ranking, np.arange(3), 0, page).take(np.array([2, 0]))
        assert served.scores.tolist() == [[-4, -5], [0, -1]]
        assert served.propensities.tolist() == ranking.propensities[[2, 0]].tolist()
        assert served.explored.tolist() == [[False, False], [True, False]]
        assert served.propensity_kind == "exact"
        assert served.teams is None if not teams else served.teams.tolist() == [[0, 1], [0, 1]]


def test_sessions_that_saw_a_page_end_or_stay_and_the_others_have_been_shown_nothing():
    agents = np.arange(4)
    arrived = SessionState.arrived(Sessions(agents, agents, 0, Draws.for_sessions(1, agents, 0)), sp.csr_array((4, 9)))
    assert arrived.here.tolist() == [0, 1, 2, 3]
    assert set(arrived.ended_by) == {EndedBy.NOTHING_SHOWN}
    rows = np.array([0, 1, 3])
    page = Page(1, 0, np.array([[1], [2], [3]], dtype=np.int32))
    served = Served.part_of(drafted(3, 1, False), np.arange(3), 0, page)
    seen = Observation(rows, page, LegalActions(OPEN), served)
    assert not seen.rows.flags.writeable, "what was seen is a value"
    ended = arrived.after(
        seen, np.array([True, False, True]), np.array([EndedBy.EXIT, EndedBy.UNREADABLE, EndedBy.EXIT])
    )
    assert ended.here.tolist() == [0, 3]
    assert ended.ended_by.tolist() == [EndedBy.EXIT, EndedBy.UNREADABLE, EndedBy.NOTHING_SHOWN, EndedBy.EXIT]
    assert set(arrived.ended_by) == {EndedBy.NOTHING_SHOWN}, "a state is a value"
    assert arrived.after(seen, np.zeros(3, dtype=np.bool_), EndedBy.LAST_PAGE).ended_by.tolist() == [
        EndedBy.LAST_PAGE, EndedBy.LAST_PAGE, EndedBy.NOTHING_SHOWN, EndedBy.LAST_PAGE
    ]  # fmt: skip


def test_an_environment_keeps_books_where_it_has_the_method_and_only_there():
    class Bookkeeper:
        def book(self, observation, decision):
            return decision

    class Stranger:
        pass

    assert environment.keeps_books(Bookkeeper())
    assert not environment.keeps_books(Stranger())


def test_a_state_is_found_under_its_earlier_name_which_says_so():
    with pytest.warns(DeprecationWarning, match="VisitState is now SessionState"):
        assert environment.VisitState is SessionState

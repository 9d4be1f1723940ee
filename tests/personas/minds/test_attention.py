"""How attention falls over the lines of a grid and along carousels."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.errors import ConfigError
from groundlings.environments.layout import Carousel, grid_places, row_places
from groundlings.environments.page import Page
from groundlings.environments.random_streams import Draws
from groundlings.environments.sessions import Sessions
from groundlings.personas.exposure.presets import POSITION
from groundlings.personas.minds.attention import attention
from groundlings.personas.minds.browsing_options import BrowsingOptions
from groundlings.personas.minds.browsing_parameters import settle

N = 20_000
ROWS = (Carousel("first", 2, 3), Carousel("second", 2), Carousel("third", 2, 1))


def looks(taste, places, sessions=N, number=1, **options):
    """P(look) at each slot of a page that is full."""
    agents = np.arange(sessions)
    items = np.zeros(places.rows.shape, dtype=np.int32)
    page = Page(number, 0, items, places=places)
    parameters = settle(BrowsingOptions(**options), taste)
    return attention(parameters, Sessions(agents, agents, 0, Draws.for_sessions(3, agents, 0)), page)


def rows_of(sessions=N):
    slots = sum(row.slots for row in ROWS)
    items = np.zeros((sessions, slots), dtype=np.int32)
    return row_places(items, ROWS, np.tile(np.arange(3), (sessions, 1)), tuple(row.name for row in ROWS))


def test_in_a_grid_attention_falls_from_line_to_line(toy_taste):
    preset = POSITION["grid"].exponent.value
    grid = grid_places(1, 5, 2)
    assert looks(toy_taste, grid, 1)[0] == pytest.approx([1, 1, 2**-preset, 2**-preset, 3**-preset])
    assert looks(toy_taste, grid, 1, examination_exponent=1.0)[0] == pytest.approx([1, 1, 1 / 2, 1 / 2, 1 / 3])


def test_a_row_is_looked_at_as_a_whole_and_less_the_further_down_it_stands(toy_taste):
    seen = looks(toy_taste, rows_of(), scroll_probability=1.0)
    for first, slots, line in ((0, 5, 1), (5, 2, 2), (7, 3, 3)):
        assert np.all(seen[:, first : first + slots] == seen[:, [first]])
        expected = line ** -POSITION["list"].exponent.value
        assert seen[:, first].mean() == pytest.approx(expected, abs=0.015)
    assert abs(np.corrcoef(seen[:, 5], seen[:, 7])[0, 1]) < 0.03, "rows are looked at independently"


def test_a_slot_out_of_view_is_reached_from_the_slot_before_it(toy_taste):
    seen = looks(toy_taste, rows_of(), scroll_probability=0.4) > 0
    assert seen[:, 1].all()
    for slot in (2, 3, 4):
        assert not (seen[:, slot] & ~seen[:, slot - 1]).any()
        assert seen[seen[:, slot - 1], slot].mean() == pytest.approx(0.4, abs=0.03)
    third = seen[:, 7]
    assert seen[third, 9].mean() == pytest.approx(0.4, abs=0.03)
    assert abs(np.corrcoef(seen[third, 2], seen[third, 9])[0, 1]) < 0.04, "each row is scrolled by itself"
    assert not looks(toy_taste, rows_of(100), 100, scroll_probability=0.0)[:, 2:5].any()


def test_attention_falls_along_a_row_where_that_is_stated(toy_taste):
    seen = looks(toy_taste, rows_of(10), 10, scroll_probability=1.0, slot_exponent=1.0)
    assert seen[:, :5] == pytest.approx(np.tile(1 / np.arange(1, 6), (10, 1)))
    assert np.all(looks(toy_taste, rows_of(10), 10, scroll_probability=1.0)[:, :5] == 1)


def test_another_page_is_looked_at_anew(toy_taste):
    first, second = (looks(toy_taste, rows_of(), number=number, scroll_probability=0.5) > 0 for number in (1, 2))
    assert abs(np.corrcoef(first[:, 5], second[:, 5])[0, 1]) < 0.03


def test_how_often_people_scroll_must_be_stated(toy_taste):
    with pytest.raises(ConfigError, match=r"mind.scroll_probability: .*state P\(scroll"):
        looks(toy_taste, rows_of(2), 2)
    in_view = grid_places(2, 2, 2)
    assert np.all(looks(toy_taste, in_view, 2) == 1)

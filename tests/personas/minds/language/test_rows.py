"""A language agent reads the names of carousels, and its reply is read back to their slots."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from groundlings.environments.layout import Carousel, grid_places, row_places

ROWS = (Carousel("For\nyou", 1, 1), Carousel("More", 2))
REPLY = json.dumps({"open": {"3": 4}, "feel": "curious", "satisfaction": 7, "next": True})


@pytest.fixture
def shown(language, population_of_three):
    """What an agent reads of a page of four items, and its decision."""

    def of(places, items=(0, 1, 2, 3), **options):
        world = language(population_of_three)
        mind, model = world.mind([REPLY], **options)
        asked = world.situation(items)
        decision = world.decide(mind, replace(asked, page=replace(asked.page, places=places)))
        return world.prompt(model.requests[0]), decision

    return of


def rows_of(items=(0, 1, 2, 3)):
    return row_places(np.array([items], dtype=np.int32), ROWS, np.array([[0, 1]]), ("For\nyou", "More"))


def test_each_row_is_named_above_its_items_with_what_is_out_of_view(shown):
    prompt, decision = shown(rows_of())
    lines = prompt[prompt.index("Row: ") :].splitlines()
    assert lines[0] == "Row: For you (the last 1 come into view by scrolling)"
    assert [line.split()[0] for line in lines[:6]] == ["Row:", "1.", "2.", "Row:", "3.", "4."]
    assert lines[3] == "Row: More"
    assert decision["click"].tolist() == [[False, False, True, False]]


def test_items_of_a_turned_page_stay_in_their_row(shown):
    prompt, decision = shown(rows_of(), rotate_slots=True)
    assert [line for line in prompt.splitlines() if line.startswith("Row: ")][1] == "Row: More"
    display = decision.trace.display[0].tolist()
    assert sorted(display[:2]) == [0, 1]
    assert sorted(display[2:]) == [2, 3]
    assert display != [0, 1, 2, 3]
    assert decision["click"][0].tolist() == [slot == display.index(2) for slot in range(4)]


def test_a_page_without_names_is_shown_as_before(shown):
    assert shown(None)[0] == shown(grid_places(1, 4, 2))[0]
    assert "Row: " not in shown(None)[0]

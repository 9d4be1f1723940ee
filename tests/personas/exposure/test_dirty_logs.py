"""A log that cannot tell a figure gets none: no estimate at infinity, no interval of one row's weight."""

from __future__ import annotations

import numpy as np
import pytest

from groundlings.environments.exposures import UNKNOWN, Exposures
from groundlings.personas.exposure.fit import Audience, fit_exposures
from groundlings.personas.exposure.utility import UtilityPreset

PEOPLE, PLACES, LISTS = 30, 5, 4


def log(opened=None, *, policy="random", **columns) -> Exposures:
    n = PEOPLE * LISTS * PLACES
    users = np.repeat(np.arange(PEOPLE), LISTS * PLACES)
    places = np.tile(np.arange(1, PLACES + 1), PEOPLE * LISTS)
    chance = np.random.default_rng(2).random(n)
    return Exposures.of(
        users, np.arange(n) % 7, n_users=PEOPLE, n_items=7, policy=policy, positions=places,
        opened=chance < 0.4 / places if opened is None else opened(users, places, chance), **columns,
    )  # fmt: skip


def fitted(table: Exposures):
    nobody = np.zeros(len(table), dtype=np.bool_)
    preset = UtilityPreset(-1.0, {}, "a test")
    return fit_exposures(table, Audience("made up", "0", 4.0, None, nobody, nobody, preset, preset))


def sessions(pages, leaves_known=None) -> Exposures:
    session = np.repeat(np.arange(len(pages)), pages)
    page = np.concatenate([np.arange(1, count + 1) for count in pages])
    if leaves_known is not None:
        page = np.where(leaves_known(session, page), page, UNKNOWN)
    return Exposures.of(
        session, np.zeros(len(page), dtype=np.int64), n_users=len(pages), n_items=1, policy="logged",
        sessions=session, pages=page, opened=np.zeros(len(page)),
    )  # fmt: skip


@pytest.mark.parametrize(
    "opened",
    [
        lambda users, places, chance: places == 1,
        lambda users, places, chance: (places == PLACES) & (chance < 0.5),
    ],
)
def test_opens_at_one_place_alone_give_looking_no_shape(opened):
    found = fitted(log(opened))
    assert not found.position.exponent.fitted
    assert "only" in found.position.exponent.note
    assert found.level.note.endswith("looking is a preset")


def test_opens_of_one_person_fit_no_test_of_a_curve():
    found = fitted(log(lambda users, places, chance: (users < 2) & (chance < 0.8)))
    assert all(0 <= p <= 1 for p in found.position.p_values.values())


@pytest.mark.parametrize("smallest", [5e-324, 1e-300, 1e-9])
def test_one_row_of_a_tiny_propensity_is_not_taken_for_the_level(smallest):
    propensities = np.full(PEOPLE * LISTS * PLACES, 0.2)
    propensities[3] = smallest
    found = fitted(log(policy="logged", propensities=propensities))
    for parameter in (found.level, found.position.exponent):
        assert not parameter.fitted
        assert "weigh as much as 1.0 equal ones" in parameter.note


@pytest.mark.parametrize("alike", [5e-324, 0.2])
def test_equal_propensities_weigh_nothing(alike):
    found = fitted(log(policy="logged", propensities=np.full(PEOPLE * LISTS * PLACES, alike)))
    assert found.level.value == pytest.approx(fitted(log()).level.value)


@pytest.mark.parametrize(
    ("opened", "told"),
    [
        (lambda users, places, chance: np.ones(len(users)), "all of the 600 rows were opened"),
        (lambda users, places, chance: np.zeros(len(users)), "none of the 600 rows was opened"),
        (lambda users, places, chance: np.where(users > 0, np.nan, 1), "all of the 20 rows that say it were opened"),
        (lambda users, places, chance: np.full(len(users), np.nan), "no column says which shown items were opened"),
    ],
)
def test_a_column_of_one_value_is_not_called_missing(opened, told):
    assert told in fitted(log(opened)).level.note


@pytest.mark.parametrize("pages", [[2] * 40, [1] * 20 + [2] * 20, [7] * 40])
def test_pages_that_part_leaving_from_staying_give_no_slope(pages):
    found = fitted(sessions(pages)).exit
    assert not found.slope.fitted
    assert found.kind == "flat"
    assert "no finite slope" in found.slope.note


def test_a_session_whose_last_pages_are_unknown_did_not_end_where_the_known_ones_do():
    known = fitted(sessions([1] * 40 + [3] * 40)).exit.by_page
    cut = fitted(sessions([1] * 40 + [3] * 40, lambda session, page: page < 3)).exit.by_page
    assert [(each.at_risk, each.left) for each in known[:2]] == [(80, 40), (40, 0)]
    assert (cut[0].at_risk, cut[0].left) == (80, 40)
    assert all(each.left == 0 for each in cut[1:])

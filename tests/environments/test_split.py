"""Splits keep time in order, lose nobody in silence, and never depend on the order of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlings.environments import split as splits
from groundlings.environments.errors import ConfigError, DataError
from groundlings.environments.interactions import Interactions
from groundlings.environments.split import split_history

N_USERS, N_ITEMS = 5, 7
KINDS = ("per_user_temporal", "global_temporal")


def history_of(rows: list[tuple[int, int, int]]) -> Interactions:
    users, items, times = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Interactions.of(users, items, None, times, n_users=N_USERS, n_items=N_ITEMS)


def rows_of(part: Interactions) -> list[tuple[int, int, int]]:
    return sorted(zip(part.users.tolist(), part.items.tolist(), part.timestamps.tolist(), strict=True))


histories = st.lists(
    st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.integers(0, 20)),
    min_size=1,
    max_size=40,
    unique=True,
)
fractions = st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.9])


@given(histories, fractions, st.sampled_from(KINDS), st.randoms())
def test_every_row_lands_in_one_part_whatever_the_order_of_rows(rows, fraction, kind, random):
    split = split_history(history_of(rows), kind, fraction)
    assert sorted(rows_of(split.train) + rows_of(split.test)) == sorted(rows)
    shuffled = random.sample(rows, len(rows))
    again = split_history(history_of(shuffled), kind, fraction)
    assert rows_of(again.train) == rows_of(split.train)
    assert rows_of(again.test) == rows_of(split.test)


@given(histories, fractions)
def test_each_person_is_tested_on_what_came_later(rows, fraction):
    split = split_history(history_of(rows), "per_user_temporal", fraction)
    for user in range(N_USERS):
        before = split.train.timestamps[split.train.users == user]
        after = split.test.timestamps[split.test.users == user]
        assert not len(after) or before.max() <= after.min()
        assert len(after) <= fraction * (len(before) + len(after)) + 1e-9
        assert len(after) + 1 > fraction * (len(before) + len(after)) - 1e-9


@given(histories, fractions)
def test_a_global_split_has_one_moment(rows, fraction):
    split = split_history(history_of(rows), "global_temporal", fraction)
    assert not len(split.test) or split.train.timestamps.max() < split.test.timestamps.min()
    assert len(split.test) <= fraction * len(rows) + 1e-9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("fraction", "tested"), [(0.1, 1), (0.2, 2), (0.25, 2), (0.3, 3), (0.7, 7), (0.99, 9)])
def test_the_fraction_is_kept_where_times_differ(kind, fraction, tested):
    rows = [(0, item % N_ITEMS, 100 + item) for item in range(10)]
    assert len(split_history(history_of(rows), kind, fraction).test) == tested


@given(st.permutations([3, 1, 2, 6]))
def test_ties_in_time_are_cut_by_the_order_of_rows_whatever_the_items_numbers(items):
    split = split_history(history_of([(0, item, 5) for item in items]), "per_user_temporal", 0.5)
    assert (split.train.items.tolist(), split.test.items.tolist()) == (items[:2], items[2:])


def test_people_without_a_training_row_are_named():
    rows = [(0, 0, 1), (0, 1, 2), (1, 0, 3), (1, 1, 4), (2, 0, 100)]
    split = split_history(history_of(rows), "global_temporal", 0.2)
    assert split.dropped_users.tolist() == [2, 3, 4]
    assert split_history(history_of(rows), "per_user_temporal", 0.2).dropped_users.tolist() == [3, 4]


def test_the_world_keeps_its_size():
    split = split_history(history_of([(0, 0, 1), (0, 1, 2)]), "per_user_temporal", 0.5)
    for part in (split.train, split.test):
        assert (part.n_users, part.n_items) == (N_USERS, N_ITEMS)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_fraction_outside_its_range_is_a_config_error(fraction):
    with pytest.raises(ConfigError, match="test_fraction"):
        split_history(history_of([(0, 0, 1)]), "per_user_temporal", fraction)


def test_an_unknown_kind_is_a_config_error():
    with pytest.raises(ConfigError, match="per_user_temporal, global_temporal"):
        split_history(history_of([(0, 0, 1)]), "random", 0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_history_cannot_be_split(kind):
    nothing = np.array([], dtype=np.int64)
    with pytest.raises(DataError, match="no interactions"):
        split_history(Interactions.of(nothing, nothing, None, nothing, n_users=1, n_items=1), kind, 0.2)


def test_thirds_depend_on_id_and_salt_alone():
    names = tuple(f"u{number}" for number in range(3000))
    thirds = splits.people_in_thirds(names, "a")
    assert np.array_equal(splits.people_in_thirds(names[::-1], "a"), thirds[::-1])
    assert np.array_equal(splits.test_people(names, "a"), thirds == 2)
    assert np.bincount(thirds, minlength=3).min() > 900
    assert not np.array_equal(splits.people_in_thirds(names, "b"), thirds)

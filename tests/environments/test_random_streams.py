import inspect
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from groundlings.environments.random_streams import Draws, name_key, name_keys

ITEMS = np.arange(200)

PINNED_KEY = 468115105103525782
PINNED_SESSIONS = [0.4920113540372536, 0.7055137071107762]
PINNED_ITEMS = [[0.7405012291346107, 0.43210915019495677], [0.519380117972436, 0.839158047284187]]


def draws(agents: int = 500, *, root: int = 7, day: int = 0) -> Draws:
    return Draws.for_sessions(root, np.arange(agents), day)


@pytest.mark.parametrize(
    "sample",
    [
        draws(20_000).uniform("click"),
        draws(1).uniform("click", np.arange(20_000)[None])[0],
        draws(200).uniform("click", np.arange(100)[None]).ravel(),
        np.array([draws(1, root=root).uniform("click")[0] for root in range(3_000)]),
        np.array([draws(1, day=day).uniform("click")[0] for day in range(3_000)]),
    ],
    ids=["agents", "items", "both", "roots", "days"],
)
def test_every_part_of_the_key_gives_uniform_numbers(sample):
    assert np.all((sample >= 0) & (sample < 1))
    assert stats.kstest(sample, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(sample[1:], sample[:-1])[0, 1]) < 4 / np.sqrt(len(sample))


@pytest.mark.parametrize(
    "other",
    [
        draws().uniform("stars", ITEMS[None]),
        draws(root=8).uniform("click", ITEMS[None]),
        draws(day=1).uniform("click", ITEMS[None]),
        draws().uniform("click", ITEMS[None] + 200),
        Draws.for_sessions(7, np.arange(500) + 500, 0).uniform("click", ITEMS[None]),
    ],
    ids=["purpose", "root", "day", "items", "agents"],
)
def test_another_purpose_root_day_item_or_agent_gives_independent_draws(other):
    one = draws().uniform("click", ITEMS[None])
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(one.size)
    table = np.histogram2d(one.ravel(), other.ravel(), bins=8)[0]
    assert stats.chisquare(table.ravel()).pvalue > 0.001


def test_numbers_stay_what_they_are():
    """Pinned: a change here changes every result ever logged with the same seed."""
    assert name_key("click") == PINNED_KEY
    assert name_keys((), ["click"]).tolist() == [PINNED_KEY]
    assert name_keys(("third", 5), ["a", "é", ""]).tolist() == [name_key("third", 5, each) for each in ("a", "é", "")]
    np.testing.assert_array_equal(draws(2).uniform("click"), PINNED_SESSIONS)
    np.testing.assert_array_equal(draws(2).uniform("click", np.array([0, 1681])[None]), PINNED_ITEMS)


def test_numbers_are_the_same_in_another_process():
    program = (
        "import numpy as np; from groundlings.environments.random_streams import Draws; "
        "print(Draws.for_sessions(7, np.arange(500), 0).uniform('click').tobytes().hex())"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert printed == [draws().uniform("click").tobytes().hex()] * 2


def test_the_arm_can_be_no_part_of_a_key():
    """Common random numbers: nothing but who, when, why and what may be told to a draw."""
    assert list(inspect.signature(Draws.for_sessions).parameters) == ["root", "agents", "day", "occasion"]
    assert list(inspect.signature(Draws.uniform).parameters) == ["self", "purpose", "what"]


@given(rows=st.lists(st.integers(0, 19), max_size=30), wide=st.booleans())
def test_take_is_taking_rows_of_the_answer(rows, wide):
    rows = np.array(rows, dtype=np.int64)
    everybody = draws(20)
    what = np.arange(60).reshape(20, 3) if wide else np.arange(20)
    taken = everybody.take(rows)
    np.testing.assert_array_equal(taken.uniform("click"), everybody.uniform("click")[rows])
    np.testing.assert_array_equal(taken.uniform("click", what[rows]), everybody.uniform("click", what)[rows])


@given(
    root=st.integers(-(2**70), 2**70),
    user=st.integers(0, 2**62),
    day=st.integers(0, 9_999),
    item=st.integers(-(2**31), 2**31 - 1),
)
def test_who_comes_alone_draws_what_they_draw_among_others(root, user, day, item):
    alone = Draws.for_sessions(root, np.array([user]), day, 1)
    among = Draws.for_sessions(root, np.array([user, 7]), day, 1)
    assert alone.uniform("click") == among.uniform("click")[:1]
    for what in (np.array([item]), np.array([item], dtype=np.int32)):
        np.testing.assert_array_equal(alone.uniform("click", what), among.uniform("click", what.repeat(2))[:1])
        np.testing.assert_array_equal(alone.uniform("click", what[None]), among.uniform("click", what[None])[:1])


def test_the_draw_of_an_item_does_not_depend_on_what_else_is_asked():
    whole = draws(5).uniform("click", ITEMS[None])
    page = np.array([[17, 3], [3, 99], [0, 1], [199, 5], [17, 18]])
    np.testing.assert_array_equal(draws(5).uniform("click", page), np.take_along_axis(whole, page, axis=1))
    np.testing.assert_array_equal(draws(5).uniform("click", page[:, 0]), whole[np.arange(5), page[:, 0]])


def test_types_of_numbers_do_not_matter():
    wide = Draws.for_sessions(7, np.arange(9, dtype=np.int64), 3).uniform("click", np.arange(9, dtype=np.int64))
    narrow = Draws.for_sessions(7, np.arange(9, dtype=np.int32), 3).uniform("click", np.arange(9, dtype=np.int32))
    np.testing.assert_array_equal(wide, narrow)


@given(root=st.integers(-(2**70), 2**70))
def test_any_integer_is_a_seed(root):
    number = Draws.for_sessions(root, np.arange(1), 0).uniform("click")[0]
    assert 0 <= number < 1


def test_name_keys_keep_names_apart():
    assert name_key("ab", "c") != name_key("a", "bc")
    assert len({name_key("purpose", number) for number in range(5_000)}) == 5_000


def test_draws_apart_share_none_with_the_others_and_stay_what_they_are():
    here = draws(20_000)
    lists = [here.apart("carousel", number).uniform("click") for number in range(3)] + [
        here.apart("slot", 0).uniform("click"),
        here.uniform("click"),
    ]
    assert np.abs(np.corrcoef(lists) - np.eye(len(lists))).max() < 0.03
    assert stats.kstest(lists[0], "uniform").pvalue > 1e-4
    rows = np.array([7, 3])
    np.testing.assert_array_equal(here.take(rows).apart("carousel", 1).uniform("click"), lists[1][rows])

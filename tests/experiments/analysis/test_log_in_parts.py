"""A log in parts answers what a report asks of sessions, impressions and events as a database does, held or not."""

from __future__ import annotations

import shutil

import pytest

from groundlings.environments.errors import RunDirectoryError
from groundlings.simulator.log.reader import LogReader

KINDS = ("add_to_cart", "purchase", "paid")
QUESTIONS = [
    ("session_totals", 4.0),
    ("items_shown", 7),
    ("items_bought", 7),
    ("purchases",),
    ("steps_by_page", 1, 4.0),
    ("steps_by_page", 2, 4.0),
    ("steps_by_slot", 5, 2),
    ("items_by_step", 5, 2, 4.0),
    ("deeds_by_page", 2, KINDS),
    ("items_by_deed", 5, 3, KINDS),
    ("first_pages", 4),
    ("first_pages", 3),
    ("click_rates_by_position",),
]


@pytest.fixture(scope="module")
def in_parts(shop_directory, tmp_path_factory):
    """The directory of the run in the shop with its log in parts; it is only read."""
    from money_shop import OBJECTIVES, shop_run

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("groundlings.experiments.analysis.report.write_report", lambda directory, *_: directory)
        return shop_run(tmp_path_factory.mktemp("parts") / "run", **OBJECTIVES, log={"store": "parquet"})


def said(log, name, *values):
    """An answer as rows in the order of their own values, None for what is unknown."""
    answer = getattr(log, name)(*values)
    if isinstance(answer, list):
        return sorted(map(repr, answer))
    frame = answer.astype(object).where(answer.notna(), None)
    columns = sorted(frame.columns)
    return columns, sorted(frame[columns].itertuples(index=False, name=None), key=repr)


@pytest.mark.parametrize("held", [False, True])
def test_every_question_has_the_answer_of_a_database(shop_directory, in_parts, held):
    with LogReader(shop_directory) as rows, LogReader(in_parts) as parts:
        if held:
            parts.hold_columns()
        for name, *values in QUESTIONS:
            expected, found = (said(log, name, *values) for log in (rows, parts))
            assert len(expected[-1]) > 3
            assert found == expected, (name, values)


def test_what_is_cut_out_of_a_held_log_is_cut_out_once(in_parts, tmp_path):
    run = shutil.copytree(in_parts, tmp_path / "run")
    with LogReader(run) as asked, LogReader(run) as holding:
        holding.hold_columns()
        before = said(holding, "steps_by_page", 2, 4.0)
        pages = said(asked, "first_pages", 4)
        shutil.rmtree(run / "parts")
        assert said(holding, "steps_by_page", 2, 4.0) == before
        assert said(holding, "first_pages", 4) == pages  # each fourth agent is among each second one
        with pytest.raises(RunDirectoryError, match="is missing"):
            asked.steps_by_page(2, 4.0)

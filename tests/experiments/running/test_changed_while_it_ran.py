"""What a report and its checks say of a run that somebody changed from its live page."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from matplotlib.figure import Figure

from groundlings.experiments.analysis.comparison.checks import check_run, competitors
from groundlings.experiments.analysis.comparison.outcomes import read_outcomes
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report.page import read_material, write_report
from groundlings.experiments.analysis.report.sections.over_time import time_section
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.running.events import SessionsWritten
from groundlings.experiments.running.live_requests import LiveRequests, add_request
from groundlings.experiments.running.manifest import run_row
from groundlings.experiments.running.plan import prepare
from groundlings.experiments.running.simulating import log_experiment, simulate
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.log.store import LOG_NAME

TWINS = ExperimentConfig.model_validate(
    {
        "name": "small",
        "seed": 3,
        "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 40, "interactions_per_user": 6}},
        "simulation": {"days": 2},
        "site": {"page_size": 5, "max_pages": 2},
        "mind": {"kind": "scripted", "click": [0], "stars": 4.0, "pages": 2},
        "metrics": ["view_ratio"],
        "arms": [{"name": "popular", "recommender": "popular"}, {"name": "shorter", "recommender": "popular"}],
    }
)


class AsksOnce:
    """Asks for a change as soon as anything is written."""

    def __init__(self, directory, change):
        self.directory, self.change = directory, change

    def event(self, event):
        if isinstance(event, SessionsWritten) and self.change:
            add_request(self.directory, self.change)
            self.change = None


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A run with two arms of one recommender, one of which somebody changed while it ran; its directory."""
    directory = tmp_path_factory.mktemp("asked") / "run"
    directory.mkdir()
    watching = AsksOnce(directory, {"arms": ["shorter"], "site": {"page_size": 3}})

    async def whole():
        async with AsyncExitStack() as stack:
            plan = await prepare(TWINS, stack)
            requests = LiveRequests(directory, plan, watching)
            await simulate(plan, run_row(plan), directory / LOG_NAME, watching, requests=requests)

    asyncio.run(whole())
    return directory


def test_a_run_that_was_changed_while_it_ran_is_not_as_declared(asked):
    with LogReader(asked) as log:
        outcomes = read_outcomes(log)
    (check,) = (each for each in check_run(outcomes, 0.05) if each.name == "the run is as its experiment file declares")
    assert check.status == "failed"
    assert "not as declared: from day 2 on in shorter: page_size is 3 (asked for while it ran)" in check.finding


def test_an_arm_that_changes_is_no_copy_of_one_that_does_not(asked):
    with LogReader(asked) as log:
        assert [arm.name for arm in competitors(read_outcomes(log))] == ["shorter"]


def test_the_report_says_what_was_changed(asked, monkeypatch):
    monkeypatch.setattr("groundlings.experiments.analysis.report.pictures.Picture.png", lambda *_: b"")
    monkeypatch.setattr("groundlings.experiments.analysis.report.pictures.Picture.inline", lambda *_: [])
    with LogReader(asked) as log:
        write_report(asked, log, summarise(log))
    page = (asked / "report.html").read_text()
    said = "from day 2 on in shorter: page_size is 3 (asked for while it ran)"
    assert f"This run was changed while it ran: {said}." in page
    assert f"<li>{said}</li>" in page.partition('id="time"')[2]
    assert "This does not repeat the run" in page


def test_a_line_stands_in_pictures_by_day_where_a_day_with_a_change_begins(asked):
    with LogReader(asked) as log:
        pictures = {each.name: each for each in time_section(read_material(asked, log, summarise(log))).pictures}
    for name in ("daily", "days"):
        axes = Figure().subplots()
        pictures[name].panels[0].draw(axes)
        upright = [set(line.get_xdata()) for line in axes.get_lines() if len(set(line.get_xdata())) == 1]
        assert upright == [{1.5}]


def test_the_first_day_of_another_recommender_is_known_of_each_arm_that_has_one(tmp_path):
    swaps = [
        {"day": day, "arms": ["shorter"], "recommender": recommender}
        for day, recommender in ((3, "random_order"), (2, "item_mean"))
    ]
    config = TWINS.model_copy(update={"simulation": TWINS.simulation.model_copy(update={"days": 3})})
    changed = ExperimentConfig.model_validate({**config.model_dump(exclude_defaults=True), "interventions": swaps})
    log_experiment(changed, tmp_path / LOG_NAME)
    with LogReader(tmp_path) as log:
        assert read_outcomes(log).run["other_recommender_from_day"] == {"shorter": 2}

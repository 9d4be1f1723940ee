"""What agents are asked after their sessions and nobody can read: counted and explained wherever a run is told of."""

from __future__ import annotations

import asyncio
import io
import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from groundlings.environments.errors import TooMuchUnreadable, UnanswerablePrompt
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report.formatting import lost_afterthoughts
from groundlings.experiments.analysis.report.terminal import render_summary_table
from groundlings.experiments.cli import runs
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.language import scripted
from groundlings.simulator.log.reader import LogReader
from groundlings.simulator.lost_pages import LostPageWatch

STOPS = (
    r"The run stopped: 4 of 4 {} of agents in arm popular are lost .100 %.; mind.max_unreadable allows 20 %.*resume$"
)

legal = scripted.legal_reply


def unthinking(request):
    return "no JSON" if "thought" in request.reply_schema["properties"] else legal(request)


def unasked(request):
    if set(request.reply_schema["properties"]) == {"1"}:
        raise UnanswerablePrompt("refused", what="flagged for violence", attempts=2)
    return legal(request)


@pytest.fixture
def run(tmp_path, monkeypatch):
    def made(reply, stops=None, limit=0.2):
        monkeypatch.setattr(scripted, "legal_reply", reply)
        config = {
            "name": "after", "seed": 3, "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 30}},
            "population": {"size": 2}, "simulation": {"days": 2}, "site": {"page_size": 3, "max_pages": 1},
            "mind": {"kind": "language", "model": {"provider": "scripted"}, "reflection": {"every": 1},
                     "interview": {"questions": ["What was missing?"]}, "max_unreadable": limit},
            "arms": [{"name": "popular", "recommender": "popular"}, {"name": "knn", "recommender": "item_knn"}],
        }  # fmt: skip
        (tmp_path / "run").mkdir(exist_ok=True)
        with nullcontext() if stops is None else pytest.raises(TooMuchUnreadable, match=stops):
            log_experiment(ExperimentConfig.model_validate(config), tmp_path / "run" / "log.db")
        return tmp_path / "run"

    return made


def test_thoughts_that_could_not_be_read_are_told_everywhere_and_fail_a_check(run, tmp_path):
    directory = run(unthinking, stops=STOPS.format("thoughts"))
    with LogReader(directory) as log:
        summary, compared = summarise(log), compare_run(directory, log)
        with Console(file=io.StringIO(), width=160) as console:
            console.print(render_summary_table(summary))
    why = "4 of 4 thoughts unreadable: not JSON 4; have the form enforced (mind.model.structured:"
    assert why in " ".join(console.file.getvalue().split())
    assert [arm["afterthoughts"]["in_words"][: len(why)] for arm in summary.as_dict()["arms"]] == [why, why]
    (check,) = (check for check in compared.checks if check.name.startswith("the thoughts"))
    assert check.status == "failed"
    assert "knn: 4 of 4 thoughts unreadable (100.0 %, at most 20 % allowed)" in check.finding
    shown = CliRunner().invoke(runs.app, ["show", str(directory)], env={"COLUMNS": "400"})
    assert f"knn: {why}" in " ".join(shown.output.split())
    export_run(directory, "trec", tmp_path / "out", partial=True)
    facts = json.loads((tmp_path / "out" / "datasheet.json").read_text())
    assert facts["arms"][0]["afterthoughts"]["kinds"][0]["unreadable"] == 4
    assert f"knn: {why}" in (tmp_path / "out" / "DATASHEET.md").read_text()


def test_refused_interviews_are_told_and_fail_no_check_because_nothing_rests_on_them(run):
    directory = run(unasked, stops=STOPS.format("interviews"))
    with LogReader(directory) as log:
        summary, compared = summarise(log), compare_run(directory, log)
    why = '4 of 4 interviews unanswerable: refused by the server 4 ("flagged for violence")'
    assert [why in line for line in lost_afterthoughts(summary)] == [True, True]
    assert not [check for check in compared.checks if check.name.startswith("the thoughts")]
    with LogReader(run(unasked, limit=1)) as log:
        assert log.run()["status"] == "done", "a run that may lose more is resumed to its end"


def test_a_run_stops_on_the_way_once_an_arm_has_lost_too_many_thoughts_beyond_chance():
    watch = LostPageWatch(0.2)
    assert watch.afterthoughts.counted("new", {"reflection": (49, 49)}) is None, "too few to be sure"
    assert watch.afterthoughts.counted("base", {"reflection": (60, 0)}) is None

    async def finished():
        yield SimpleNamespace(effects=SimpleNamespace(pages=1, lost=0, afterthoughts={"reflection": (1, 1)}))

    async def taken():
        return [each async for each in watch.over(finished(), "new")]

    with pytest.raises(TooMuchUnreadable, match=r"^50 of 50 thoughts of agents in arm new are lost \(100 %\)"):
        asyncio.run(taken())


def test_a_run_that_lost_nothing_says_nothing(run):
    with LogReader(run(legal)) as log:
        summary = summarise(log)
    assert lost_afterthoughts(summary) == ()
    assert "afterthoughts" not in summary.as_dict()["arms"][0]

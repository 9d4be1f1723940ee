"""What recommenders ask for their lists and cannot read: counted and explained wherever a run is told of."""

from __future__ import annotations

import io
import json

from rich.console import Console
from typer.testing import CliRunner

from groundlings.environments.errors import UnanswerablePrompt
from groundlings.experiments.analysis.comparison.comparing import compare_run
from groundlings.experiments.analysis.metrics import summarise
from groundlings.experiments.analysis.report.formatting import lost_replies
from groundlings.experiments.analysis.report.terminal import render_summary_table
from groundlings.experiments.cli import runs
from groundlings.experiments.config.schema import ExperimentConfig
from groundlings.experiments.exports.export import export_run
from groundlings.experiments.running.simulating import log_experiment
from groundlings.simulator.language import scripted
from groundlings.simulator.log.reader import LogReader

legal = scripted.legal_reply


def test_replies_that_a_recommender_could_not_read_are_told_everywhere_and_fail_a_check(tmp_path, monkeypatch):
    def reply(request):
        if request.temperature == 0.25:
            return "no JSON"
        if request.temperature == 0.5:
            raise UnanswerablePrompt("refused", what="flagged for violence", attempts=2)
        return legal(request)

    def arm(name, temperature, **more):
        model = {"provider": "scripted", "temperature": temperature}
        options = {"of": {"recommender": "popular"}, "candidates": 5, "fallback": "candidates"}
        return {"name": name, "recommender": "llm_ranker", "options": options, "model": model, **more}

    monkeypatch.setattr(scripted, "legal_reply", reply)
    config = {
        "name": "after", "seed": 3, "dataset": {"name": "toy", "toy": {"n_users": 12, "n_items": 30}},
        "population": {"size": 2}, "mind": "behavioural", "simulation": {"days": 1},
        "site": {"page_size": 3, "max_pages": 1},
        "arms": [arm("reads", 0.125), arm("deaf", 0.25), arm("flagged", 0.5, max_unreadable=1)],
    }  # fmt: skip
    run = tmp_path / "run"
    run.mkdir()
    log_experiment(ExperimentConfig.model_validate(config), run / "log.db")
    with LogReader(run) as log:
        summary, compared = summarise(log), compare_run(run, log)
        with Console(file=io.StringIO(), width=160) as console:
            console.print(render_summary_table(summary))
    why = "2 of 2 replies unreadable: not JSON 2; have the form enforced (arms.1.model.structured:"
    assert f"deaf: its recommender did without some of its model's replies, {why}" in " ".join(
        console.file.getvalue().split()
    )
    deaf, flagged = lost_replies(summary)
    assert why in deaf
    assert '2 of 2 replies unanswerable: refused by the server 2 ("flagged for violence")' in flagged
    told = [each.get("lost_replies") for each in summary.as_dict()["arms"]]
    assert [each and each["in_words"][: len(why)] == why for each in told] == [None, True, False]
    (check,) = (check for check in compared.checks if check.name.startswith("recommenders could read what they asked"))
    assert check.status == "failed"
    assert check.finding == (
        "deaf: 2 of 2 replies unreadable (100.0 %, at most 20 % allowed); "
        "flagged: 2 of 2 replies unanswerable (100.0 %, at most 100 % allowed)"
    )
    shown = CliRunner().invoke(runs.app, ["show", str(run)], env={"COLUMNS": "400"})
    assert f"deaf: {why}" in " ".join(shown.output.split())
    export_run(run, "trec", tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "datasheet.json").read_text())
    assert [each.get("lost_replies", {}).get("unreadable") for each in facts["arms"]] == [None, 2, 0]
    assert f"deaf: {why}" in (tmp_path / "out" / "DATASHEET.md").read_text()
